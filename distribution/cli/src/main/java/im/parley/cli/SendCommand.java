package im.parley.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends one text. */
@Command(
        name = "send",
        description = "Sends a text. When it returns the message is safe on disk and goes out by itself.")
final class SendCommand extends BaseCommand {
    private static final int MAX_BYTES = 1 << 20;

    @Parameters(index = "0", paramLabel = "TO", description = "A contact, an own identity, an npub or an nprofile.")
    private String to = "";

    @Parameters(
            index = "1..*",
            arity = "0..*",
            paramLabel = "TEXT",
            description = "The text; words are joined by spaces.")
    private List<String> words = new ArrayList<>();

    @Option(names = "--stdin", description = "Read the text from standard input, up to its end.")
    private boolean stdin;

    @Option(names = "--as", paramLabel = "IDENTITY", description = "Who writes.")
    private @Nullable String as;

    SendCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, IOException {
        if (stdin == !words.isEmpty()) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.usage",
                    "The message was not sent.",
                    stdin ? "There is a text both as arguments and on standard input." : "There is no text.",
                    "Give it after the recipient, or on standard input with --stdin.");
        }
        Map<String, Object> params = ContactCommands.as(as);
        params.put("to", to);
        params.put("text", stdin ? input() : String.join(" ", words));
        Map<String, Object> message = ask("message.send", params);
        show(
                message,
                "Safe on disk for " + Plain.line(Answer.text(message, "peerName")) + " ["
                        + Plain.line(Answer.text(message, "state")) + "]; ./parley ledger shows where it is.\n");
        return Exit.OK;
    }

    private String input() throws Failure, IOException {
        byte[] bytes = invocation().in().readNBytes(MAX_BYTES);
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
