package im.parley.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What commands share that send a text. */
abstract class WritingCommand extends CircleCommand {
    /** What a message may have, as the node says, too. */
    private static final int MAX_BYTES = 32 * 1024;

    private static final long TELL_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long POLL_MILLIS = 40;

    @Parameters(
            index = "1..*",
            arity = "0..*",
            paramLabel = "TEXT",
            description = "The text; words are joined by spaces. Behind -- if it begins with -.")
    private List<String> words = new ArrayList<>();

    @Option(names = "--stdin", description = "Read the text from standard input, up to its end.")
    private boolean stdin;

    @Option(names = "--as", paramLabel = "IDENTITY", description = "Who writes.")
    private @Nullable String as;

    WritingCommand(Invocation invocation) {
        super(invocation);
    }

    /** Sends the text with that method, and says where it is. */
    int write(String method, Map<String, Object> address) throws Failure, IOException, InterruptedException {
        return write(method, address, this::told);
    }

    /** What is said of an answer. */
    @FunctionalInterface
    interface Telling {
        String of(NodeClient client, Map<String, Object> message) throws Failure, InterruptedException;
    }

    int write(String method, Map<String, Object> address, Telling telling)
            throws Failure, IOException, InterruptedException {
        if (stdin == !words.isEmpty()) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.usage",
                    "The message was not sent.",
                    stdin ? "There is a text both as arguments and on standard input." : "There is no text.",
                    "Give it behind whom or what it is for, or on standard input with --stdin.");
        }
        Map<String, Object> params = ContactCommands.as(as);
        params.putAll(address);
        String text = stdin ? input() : String.join(" ", words);
        if (text.getBytes(StandardCharsets.UTF_8).length > MAX_BYTES) {
            throw tooLong();
        }
        params.put("text", text);
        try (NodeClient client = connect()) {
            Map<String, Object> message = client.call(method, params);
            show(message, json() ? "" : telling.of(client, message));
            return Exit.OK;
        }
    }

    /** Where it is after a moment: most messages are at a relay by then, and of the others the reason is known. */
    private String told(NodeClient client, Map<String, Object> message) throws Failure, InterruptedException {
        String id = Answer.text(message, "id");
        String name = Plain.line(String.join(", ", Answer.texts(message, "members")));
        String sender = Answer.text(message, "account");
        Map<String, Object> entry = entry(client, id);
        long begun = System.nanoTime();
        while (!isTelling(entry) && System.nanoTime() - begun < TELL_WITHIN_NANOS) {
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            entry = entry(client, id);
        }
        if (entry.isEmpty()) {
            return advice("Safe on disk for " + name + "; it goes out by itself. ./parley ledger shows where it is.");
        }
        String reason = advice(Reasons.told(Answer.text(entry, "reason"), sender));
        return switch (Answer.text(entry, "state")) {
            case "at relays" -> "Sent to " + name + ": " + atRelays(entry) + ".";
            case "delivered", "read" -> "Sent to " + name + ": " + Answer.text(entry, "state") + ".";
            case "failed" ->
                throw new Failure(
                        Exit.REFUSED,
                        "message.failed",
                        "The message did not get to " + name + ".",
                        reason.isEmpty() ? "The reason is not known." : reason + ".",
                        "./parley ledger shows it; it is not tried again by itself.");
            case "awaiting signer" -> "Queued for " + name + ": " + reason + "; then it goes out by itself.";
            default ->
                "Queued for " + name + ": " + (reason.isEmpty() ? "no relay has answered yet" : reason)
                        + "; it goes out by itself.";
        };
    }

    private static String atRelays(Map<String, Object> entry) throws Failure {
        long all = Answer.number(entry, "relaysAll");
        return (all == 1 ? "at relay " : "at relays ") + Answer.number(entry, "relaysHave") + "/" + all;
    }

    private static boolean isTelling(Map<String, Object> entry) throws Failure {
        if (entry.isEmpty()) {
            return true;
        }
        return switch (Answer.text(entry, "state")) {
            case "composed" -> false;
            case "queued" -> !Answer.text(entry, "reason").isEmpty();
            default -> true;
        };
    }

    /** The message's line in the ledger; empty if it cannot be asked for, since the message is safe all the same. */
    private static Map<String, Object> entry(NodeClient client, String id) throws Failure {
        try {
            List<Map<String, Object>> entries =
                    Answer.objects(client.call("ledger.get", Map.of("message", id)), "entries");
            return entries.isEmpty() ? Map.of() : entries.get(0);
        } catch (Failure e) {
            if (e.exit() == Exit.BUG) {
                throw e;
            }
            return Map.of();
        }
    }

    private static Failure tooLong() {
        return new Failure(
                Exit.REFUSED,
                "message.too-long",
                "The message was not sent.",
                "It is longer than " + MAX_BYTES / 1024 + " KiB.",
                "Shorten it or send it in parts.");
    }

    private String input() throws Failure, IOException {
        // One more for the line break at the end, and one to notice that there is more than may be.
        byte[] bytes = invocation().in().readNBytes(MAX_BYTES + 2);
        if (bytes.length > MAX_BYTES + 1) {
            throw tooLong();
        }
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        } catch (CharacterCodingException e) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.not-utf8",
                    "The message was not sent.",
                    "Standard input is no UTF-8 text.",
                    "Convert it first; files are not sent with this command.");
        }
    }
}
