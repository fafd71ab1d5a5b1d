package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Where every outgoing message is. */
@Command(
        name = "ledger",
        description = "Shows where every message you sent is, per recipient, the newest first; the sums are exact.")
final class LedgerCommand extends CircleCommand {
    /** In the order a message goes through them. */
    private static final List<String> STATES =
            List.of("composed", "awaiting signer", "queued", "at relays", "delivered", "read", "failed");

    private static final int SHOWN_OF_ID = 12;

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "Entries, 1 to 1000; 20 if left out.")
    private int count = 20;

    @Option(
            names = "--message",
            paramLabel = "ID",
            description = "Only this message: its id or the beginning of it, as the ledger shows it.")
    private @Nullable String message;

    LedgerCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> params = new LinkedHashMap<>();
        params.put("limit", counted(count, 1000));
        if (message != null) {
            params.put("message", message);
        }
        Map<String, Object> ledger = ask("ledger.get", params);
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> entry : Answer.objects(ledger, "entries")) {
            rows.add(row(entry, ledger));
        }
        show(ledger, "Ledger: " + totals(ledger) + "\n" + Plain.table(rows));
        return Exit.OK;
    }

    private List<String> row(Map<String, Object> entry, Map<String, Object> ledger) throws Failure {
        String sender = Answer.text(entry, "sender");
        long sentAt = Answer.number(entry, "sentAt");
        String reason = advice(Reasons.told(Answer.text(entry, "reason"), sender));
        long nextTry = Answer.number(entry, "nextTry");
        if (nextTry > 0) {
            reason += (reason.isEmpty() ? "" : "; ") + "next try " + in(nextTry - Answer.number(ledger, "now"));
        }
        return List.of(
                abbreviated(Answer.text(entry, "message")),
                sentAt == 0 ? "" : Plain.time(sentAt),
                (sender.isEmpty() ? "?" : Plain.line(sender)) + " -> " + recipient(entry),
                state(entry),
                reason);
    }

    private static String recipient(Map<String, Object> entry) throws Failure {
        String name = Answer.text(entry, "recipientName");
        String shown = name.isEmpty() ? Answer.text(entry, "recipient") : name;
        boolean key = name.isEmpty() || name.startsWith("npub1");
        return key && shown.length() > SHOWN_OF_ID ? abbreviated(shown) + "\u2026" : Plain.line(shown);
    }

    private static String abbreviated(String text) {
        return Plain.line(text.substring(0, Math.min(SHOWN_OF_ID, text.length())));
    }

    /** With how many of her relays have it, once they are known. */
    static String state(Map<String, Object> entry) throws Failure {
        String state = Answer.text(entry, "state");
        long all = Answer.number(entry, "relaysAll");
        boolean underWay = state.equals("at relays") || state.equals("queued");
        return underWay && all > 0 ? state + " " + Answer.number(entry, "relaysHave") + "/" + all : state;
    }

    private static String in(long millis) {
        return millis <= 0 ? "now" : "in " + Plain.duration(Math.max(1_000, millis));
    }

    /** The sums in one line, with what is missing if they do not add up. */
    static String totals(Map<String, Object> ledger) throws Failure {
        long sent = Answer.number(ledger, "sent");
        if (sent == 0) {
            return "nothing sent yet";
        }
        Map<String, Object> byState = Answer.member(ledger, "byState");
        List<String> parts = new ArrayList<>();
        for (String state : STATES) {
            long number = Answer.number(byState, state);
            if (number > 0) {
                parts.add(number + " " + state);
            }
        }
        return sent + " sent = " + String.join(" + ", parts)
                + (Answer.flag(ledger, "exact") ? " (exact)" : " (NOT exact: please report this)");
    }
}
