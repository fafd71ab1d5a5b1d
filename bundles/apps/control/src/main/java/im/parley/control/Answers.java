package im.parley.control;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import im.parley.api.lifecycle.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Writes results, errors and notifications, each as one line. Thread-safe. */
final class Answers {
    private static final JsonFactory FACTORY = JsonFactory.builder().build();

    /** What a person can do about a code; a kind's advice stands where a code has none. */
    private static final Map<String, String> NEXT = Map.ofEntries(
            Map.entry("session.locked", "Unlock it with ./parley unlock, then try again."),
            Map.entry("pin.wrong", "Try again; after five wrong ones you have to wait longer each time."),
            Map.entry("pin.backoff", "Wait until then; ./parley status shows when."),
            Map.entry("pin.not-set", "Set one with ./parley pin set."),
            Map.entry("pin.format", "Choose 4 to 64 digits."),
            Map.entry("identity.name-taken", "Choose another name; ./parley identity list shows those there are."),
            Map.entry("identity.bad-name", "Choose 1 to 64 visible characters."),
            Map.entry("contact.name-taken", "Choose another name; ./parley contact list shows those there are."),
            Map.entry("contact.bad-address", "Ask for her npub or nprofile; ./parley identity list shows one's own."),
            Map.entry("contact.bad-name", "Choose 1 to 64 visible characters."),
            Map.entry("contact.known", "Write to her by that name; ./parley contact list shows whom you know."),
            Map.entry("contact.self", "Write to it by its name; it needs no contact."),
            Map.entry(
                    "contact.secret-key",
                    "Whoever has it can read and write as its owner: take it out of the history of your shell, and use"
                            + " the npub instead."),
            Map.entry(
                    "identity.secret-key",
                    "Whoever has it can read and write as its owner: take it out of the history of your shell."
                            + " ./parley identity import NAME asks for a key."),
            Map.entry("account.ambiguous", "Say which identity with --as."),
            Map.entry("account.unknown", "./parley identity list shows the names there are."),
            Map.entry("account.none", "Make one with ./parley identity new NAME."),
            Map.entry("recipient.unknown", "Add her with ./parley contact add NAME NPUB, or give an npub or nprofile."),
            Map.entry("identity.known", "./parley identity list shows it."),
            Map.entry(
                    "identity.bad-key",
                    "Paste the whole of an nsec or ncryptsec; for an ncryptsec give its password, too."),
            Map.entry("key.wrong-password", "Try again with the password that was chosen at the export."),
            Map.entry("passphrase.empty", "Give one, or leave it out."),
            Map.entry("swap.unknown-slot", "./parley slots lists them."),
            Map.entry("swap.unknown-instance", "./parley slots --json lists the candidates of each slot."),
            Map.entry("swap.same", "There is nothing to do."),
            Map.entry("swap.no-handover", "Wait for a version that can move it."),
            Map.entry("swap.no-window", "./parley handover status shows what is kept up to date."),
            Map.entry("swap.target-not-empty", "Move that directory away and try again."),
            Map.entry("swap.busy", "Try again; ./parley status shows what is under way."),
            Map.entry("swap.cannot-catch-up", "Try again when less is written."),
            Map.entry("handover.too-busy", "Try again when less is written."),
            Map.entry("handover.cancelled", "Try again when you want it."),
            Map.entry(
                    "handover.differs",
                    "Try again; if it says the same, keep the old part and report it with the log of the node."),
            Map.entry("swap.nothing-to-undo", "./parley slots shows what fills each slot."),
            Map.entry("swap.not-written", "Make room, or correct the owner of the data directory, and try again."),
            Map.entry("vault.locked", "Open it with ./parley identity unlock NAME."),
            Map.entry("vault.wrong-passphrase", "Try again; it is the one given when the identity was made."),
            Map.entry("backup.not-a-backup", "Name another directory, or mount the disk that it is on."),
            Map.entry("backup.passphrase-needed", "Give it with --stdin or in a terminal."),
            Map.entry("backup.wrong-passphrase", "Try again with the one that was chosen at its first backup."),
            Map.entry("backup.inside-data", "Name a directory elsewhere, best on another disk."),
            Map.entry("backup.bad-directory", "Give its whole path."),
            Map.entry("backup.busy", "Wait until it is done, then try again."),
            Map.entry("backup.too-new", "Install the version that made it."),
            Map.entry(
                    "backup.damaged",
                    "./parley backup verify DIR says which snapshots are whole; restore one of them with --snapshot. If the"
                            + " old node still runs, the next backup there repairs what it still has."),
            Map.entry("backup.no-snapshot", "./parley backup list DIR shows those there are."),
            Map.entry("key.weak-passphrase", "Choose a sentence that nobody else would write."),
            Map.entry("restore.not-empty", "Restore into a node with an empty directory: --data DIR."),
            Map.entry("restore.no-place", "Install that part first, then restore again."),
            Map.entry("circle.unknown", "./parley circle list shows those there are."),
            Map.entry("circle.name-taken", "Choose another name; ./parley circle list shows those there are."),
            Map.entry("circle.bad-name", "Choose another name."),
            Map.entry("circle.default", "./parley circle rename default NAME gives it another name."),
            Map.entry("circle.not-confirmed", "Give the name again as ./parley circle list shows it."),
            Map.entry("circle.too-many", "Delete one that is not needed with ./parley circle delete."),
            Map.entry("file-server.bad-url", "Give it as https://host."),
            Map.entry("invitation.bad", "Ask for it again, and paste all of it between quotes."),
            Map.entry("invitation.own", "Send it to somebody else."),
            Map.entry("relay.bad-url", "Give it as ws://host:port or wss://host."),
            Map.entry("relay.too-many", "Remove one first with ./parley relay remove."),
            Map.entry("relay.unknown", "./parley relay list shows those there are."),
            Map.entry(
                    "message.unknown",
                    "./parley inbox --ids shows the ids of messages, ./parley ledger those of what you sent."),
            Map.entry("message.not-yours", "Ask its writer to delete it."),
            Map.entry("timer.out-of-range", "Give for example 30s, 5m, 12h, 7d or off."),
            Map.entry("reaction.bad", "Give one picture or a short word."),
            Map.entry("reaction.known", "./parley inbox shows the reactions of each message."),
            Map.entry("room.too-many", "Name fewer people; a message to each of them reaches more."),
            Map.entry("message.ambiguous", "Give more characters of its id."),
            Map.entry("message.empty", "Write something."),
            Map.entry("message.too-long", "Shorten it or send it in parts."),
            Map.entry(
                    "feature.absent", "Stop the node and start it with --only all, or use a node that has this part."),
            Map.entry("control.denied", "Be that user, or name a data directory of your own with --data."),
            Map.entry("control.follows-already", "Open another connection."),
            Map.entry(
                    "request.method-unknown",
                    "rpc.discover lists the methods; client and node may differ in version."));

    /** How a sentence begins that says what to do. */
    private static final Set<String> IMPERATIVES = Set.of(
            "Add",
            "Ask",
            "Check",
            "Choose",
            "Configure",
            "Free",
            "Give",
            "Install",
            "List",
            "Make",
            "Open",
            "Remove",
            "Restart",
            "Restore",
            "Say",
            "See",
            "Send",
            "Set",
            "Shorten",
            "Sign",
            "Start",
            "Stop",
            "Try",
            "Unlock",
            "Use",
            "Wait",
            "Write");

    /** The second and the third part of an error. */
    private record Told(String why, String next) {}

    private Answers() {}

    static byte[] result(Object id, Map<String, Object> result) {
        return line(generator -> {
            writeId(generator, id);
            generator.writeFieldName("result");
            writeValue(generator, result);
        });
    }

    static byte[] notification(String method, Map<String, Object> params) {
        return line(generator -> {
            generator.writeStringField("method", method);
            generator.writeFieldName("params");
            writeValue(generator, params);
        });
    }

    /** @param what the first of the three parts: what did not happen */
    static byte[] error(@Nullable Object id, String what, ControlException e) {
        Told told = told(e);
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("code", e.code());
        data.put("kind", e.kind().name().toLowerCase(Locale.ROOT));
        data.put("what", what);
        data.put("why", told.why());
        data.put("next", told.next());
        return line(generator -> {
            writeId(generator, id);
            generator.writeObjectFieldStart("error");
            generator.writeNumberField("code", e.number());
            generator.writeStringField("message", what);
            generator.writeFieldName("data");
            writeValue(generator, data);
            generator.writeEndObject();
        });
    }

    /** Where a text ends with advice of its own, that is not said twice. */
    private static Told told(ControlException e) {
        String why = e.why();
        if (!e.next().isEmpty()) {
            return new Told(why, e.next());
        }
        String advice = "";
        int end = why.lastIndexOf(". ");
        if (end > 0) {
            String last = why.substring(end + 2);
            int word = last.indexOf(' ');
            if (word > 0 && IMPERATIVES.contains(last.substring(0, word))) {
                advice = last;
                why = why.substring(0, end + 1);
            }
        }
        String known = NEXT.get(e.code());
        return new Told(why, known != null ? known : advice.isEmpty() ? next(e) : advice);
    }

    private static String next(ControlException e) {
        return switch (e.kind()) {
            case REJECTED -> "Change the request; the same one is refused again.";
            case UNSUPPORTED -> "This node cannot do that.";
            case UNAVAILABLE, TIMEOUT -> "Try again in a moment; ./parley status shows what is wrong.";
            case EXHAUSTED -> "Free some space or wait, then try again.";
            case AUTHENTICATION -> "Check who you are to the node.";
            case CORRUPT -> "Stop the node and restore its data from a backup; keep the damaged copy.";
            case INTERNAL -> "This is a fault of Parley: please report it with ./parley logs.";
        };
    }

    static ControlException internal() {
        return ControlException.of(Kind.INTERNAL, "internal.bug", "Something unexpected happened; the log tells more.");
    }

    private static void writeId(JsonGenerator generator, @Nullable Object id) throws IOException {
        generator.writeFieldName("id");
        if (id == null) {
            generator.writeNull();
        } else {
            writeValue(generator, id);
        }
    }

    @FunctionalInterface
    private interface Body {
        void write(JsonGenerator generator) throws IOException;
    }

    private static byte[] line(Body body) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (JsonGenerator generator = FACTORY.createGenerator(bytes)) {
            generator.writeStartObject();
            generator.writeStringField("jsonrpc", "2.0");
            body.write(generator);
            generator.writeEndObject();
            generator.writeRaw('\n');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void writeValue(JsonGenerator generator, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            generator.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                generator.writeFieldName((String) entry.getKey());
                writeValue(generator, entry.getValue());
            }
            generator.writeEndObject();
        } else if (value instanceof Iterable<?> list) {
            generator.writeStartArray();
            for (Object item : list) {
                writeValue(generator, item);
            }
            generator.writeEndArray();
        } else if (value instanceof String text) {
            generator.writeString(text);
        } else if (value instanceof Number number) {
            generator.writeNumber(number.longValue());
        } else if (value instanceof Boolean truth) {
            generator.writeBoolean(truth);
        } else {
            throw new IllegalArgumentException("no JSON for " + value.getClass());
        }
    }
}
