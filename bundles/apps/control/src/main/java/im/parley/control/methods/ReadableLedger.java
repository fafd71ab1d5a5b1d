package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The ledger together with who wrote each message and when, which only the messages themselves say. Thread-safe. */
final class ReadableLedger {
    private static final int PAGE = 1_000;
    private static final int ID_LENGTH = 64;

    /** How far back a message is looked for that is not among the newest: a ledger is asked for often. */
    private static final int PAGES = 20;

    private final Scope circle;
    private final Messenger messenger;
    private final Ledger ledger;
    private final InstantSource clock;

    ReadableLedger(Scope circle, Messenger messenger, Ledger ledger, InstantSource clock) {
        this.circle = circle;
        this.messenger = messenger;
        this.ledger = ledger;
        this.clock = clock;
    }

    Map<String, Object> get(Call call) throws ProviderException, ControlException {
        int limit = (int) call.number("limit", 0, PAGE, 50);
        String wanted = call.optionalText("message");
        String id = wanted == null ? "" : find(wanted);
        Ledger.Totals totals = ledger.totals(circle);
        List<Ledger.Entry> entries = limit == 0 ? List.of() : ledger.entries(circle, id, limit);
        Map<String, Long> byState = new LinkedHashMap<>();
        for (Ledger.State state : Ledger.State.values()) {
            byState.put(name(state), totals.byState().getOrDefault(state, 0L));
        }
        Map<String, Messenger.Message> messages = messagesOf(entries);
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Ledger.Entry entry : entries) {
            shown.add(shown(entry, messages.get(entry.messageId())));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("sent", totals.sent());
        answer.put("exact", totals.exact());
        answer.put("byState", byState);
        answer.put("entries", shown);
        answer.put("now", clock.millis());
        return answer;
    }

    /** The id that begins so. */
    private String find(String wanted) throws ProviderException, ControlException {
        String start = wanted.strip().toLowerCase(Locale.ROOT);
        if (start.isEmpty() || start.length() > ID_LENGTH) {
            throw unknown();
        }
        Set<String> found = new TreeSet<>();
        if (start.length() == ID_LENGTH) {
            if (!ledger.entries(circle, start, 1).isEmpty()) {
                found.add(start);
            }
        } else {
            for (Ledger.Entry entry : ledger.entries(circle, "", PAGE)) {
                if (entry.messageId().startsWith(start)) {
                    found.add(entry.messageId());
                }
            }
            if (found.isEmpty()) {
                addOlder(start, found);
            }
        }
        if (found.size() > 1) {
            throw ControlException.of(
                    Kind.REJECTED, "message.ambiguous", found.size() + " messages have an id that begins so.");
        }
        return found.stream().findFirst().orElseThrow(ReadableLedger::unknown);
    }

    private void addOlder(String start, Set<String> found) throws ProviderException {
        long after = 0;
        List<Messenger.Message> page;
        do {
            page = messenger.messages(circle, null, after, PAGE);
            for (Messenger.Message message : page) {
                after = message.position();
                if (message.outgoing()
                        && message.id().startsWith(start)
                        && !ledger.entries(circle, message.id(), 1).isEmpty()) {
                    found.add(message.id());
                }
            }
        } while (page.size() == PAGE);
    }

    private static ControlException unknown() {
        return ControlException.of(Kind.REJECTED, "message.unknown", "This node sent no message with that id.");
    }

    private Map<String, Messenger.Message> messagesOf(List<Ledger.Entry> entries) throws ProviderException {
        Map<String, Messenger.Message> found = new HashMap<>();
        Set<String> missing = new HashSet<>();
        entries.forEach(entry -> missing.add(entry.messageId()));
        // Most of them are among the newest messages; of a conversation on one node each is there twice.
        int near = Math.min(PAGE, 4 * missing.size());
        if (!missing.isEmpty()) {
            take(messenger.latest(circle, null, near), missing, found);
        }
        if (!missing.isEmpty() && near < PAGE) {
            take(messenger.latest(circle, null, PAGE), missing, found);
        }
        long after = 0;
        for (int i = 0; i < PAGES && !missing.isEmpty(); i++) {
            List<Messenger.Message> page = messenger.messages(circle, null, after, PAGE);
            if (page.isEmpty()) {
                break;
            }
            take(page, missing, found);
            after = page.get(page.size() - 1).position();
        }
        return found;
    }

    private static void take(
            List<Messenger.Message> messages, Set<String> missing, Map<String, Messenger.Message> found) {
        for (Messenger.Message message : messages) {
            if (message.outgoing() && missing.remove(message.id())) {
                found.put(message.id(), message);
            }
        }
    }

    private static Map<String, Object> shown(Ledger.Entry entry, Messenger.@Nullable Message message) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("message", entry.messageId());
        shown.put("sender", message == null ? "" : message.account());
        shown.put("recipient", entry.recipient());
        shown.put(
                "recipientName",
                message == null || !message.peer().hex().equals(entry.recipient()) ? "" : message.peerName());
        shown.put("sentAt", message == null ? 0L : message.sentAt());
        shown.put("state", name(entry.state()));
        shown.put("relaysHave", entry.relaysHave());
        shown.put("relaysAll", entry.relaysAll());
        shown.put("reason", entry.reason());
        shown.put("nextTry", entry.nextTry());
        return shown;
    }

    private static String name(Ledger.State state) {
        return state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
