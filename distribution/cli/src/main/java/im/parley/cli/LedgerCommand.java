package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Where every outgoing message is. */
@Command(name = "ledger", description = "Shows where every message you sent is, per recipient; the sums are exact.")
final class LedgerCommand extends BaseCommand {
    /** In the order a message goes through them. */
    private static final List<String> STATES =
            List.of("composed", "awaiting signer", "queued", "at relays", "delivered", "read", "failed");

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "Entries, 0 to 1000; 20 if left out.")
    private int count = 20;

    @Option(names = "--message", paramLabel = "ID", description = "Only this message.")
    private @Nullable String message;

    LedgerCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> params = new LinkedHashMap<>();
        params.put("limit", count);
        if (message != null) {
            params.put("message", message);
        }
        Map<String, Object> ledger = ask("ledger.get", params);
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> entry : Answer.objects(ledger, "entries")) {
            String state = Answer.text(entry, "state");
            if (state.equals("at relays")) {
                state += " " + Answer.number(entry, "relaysHave") + "/" + Answer.number(entry, "relaysAll");
            }
            String reason = Plain.line(Answer.text(entry, "reason"));
            long nextTry = Answer.number(entry, "nextTry");
            rows.add(List.of(
                    abbreviated(Answer.text(entry, "message")),
                    "to " + abbreviated(Answer.text(entry, "recipient")),
                    state,
                    reason + (nextTry > 0 ? (reason.isEmpty() ? "" : ", ") + "next try " + Plain.time(nextTry) : "")));
        }
        show(ledger, "Ledger: " + totals(ledger) + "\n" + Plain.table(rows));
        return Exit.OK;
    }

    private static String abbreviated(String hex) {
        return hex.length() > 12 ? hex.substring(0, 12) : hex;
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
