package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.control.Subscriber;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.vault.Vault;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Identities, contacts, relays, messages and the ledger of the default circle. */
@Component(name = "im.parley.control.messenger", service = MethodGroup.class)
public final class MessengerMethods implements MethodGroup {
    private static final Scope CIRCLE = Scope.DEFAULT;
    private static final int PAGE = 100;

    /** How soon a feed notices that the session was locked while nothing arrives. */
    private static final long LOCK_CHECK_MILLIS = 500;

    private final Messenger messenger;
    private final Ledger ledger;
    private final RelayClient relays;
    private final Vault vault;

    @Activate
    public MessengerMethods(
            @Reference Messenger messenger,
            @Reference Ledger ledger,
            @Reference RelayClient relays,
            @Reference Vault vault) {
        this.messenger = messenger;
        this.ledger = ledger;
        this.relays = relays;
        this.vault = vault;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "identity.new",
                "identity.unlock",
                "identity.list",
                "contact.add",
                "contact.list",
                "relay.add",
                "relay.remove",
                "relay.list",
                "message.send",
                "message.list",
                "message.follow",
                "ledger.get",
                "drops.list");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        String account = call.optionalText("account");
        return switch (call.method()) {
            case "identity.new" ->
                account(messenger.createAccount(CIRCLE, call.text("name"), call.secret("passphrase")));
            case "identity.unlock" -> account(messenger.unlockAccount(CIRCLE, call.text("name"), passphrase(call)));
            case "identity.list" -> accounts(messenger.accounts(CIRCLE));
            case "contact.add" ->
                contact(messenger.addContact(CIRCLE, account, call.text("name"), call.text("address")));
            case "contact.list" -> contacts(account);
            case "relay.add" -> accounts(messenger.addRelay(CIRCLE, account, call.text("url")));
            case "relay.remove" -> accounts(messenger.removeRelay(CIRCLE, account, call.text("url")));
            case "relay.list" -> relays();
            case "message.send" -> message(messenger.send(CIRCLE, account, call.text("to"), call.text("text")));
            case "message.list" -> messages(call, account);
            case "message.follow" -> follow(call, account);
            case "drops.list" -> Map.of("drops", drops());
            default -> ledger(call);
        };
    }

    private static char[] passphrase(Call call) {
        char[] given = call.secret("passphrase");
        return given == null ? new char[0] : given;
    }

    private Map<String, Object> contacts(@Nullable String wanted) throws ProviderException {
        List<Map<String, Object>> found = new ArrayList<>();
        for (Messenger.Account account : messenger.accounts(CIRCLE)) {
            if (wanted == null || wanted.equals(account.name()) || wanted.equals(account.npub())) {
                for (Messenger.Contact contact : messenger.contacts(CIRCLE, account.name())) {
                    Map<String, Object> shown = new LinkedHashMap<>();
                    shown.put("account", account.name());
                    shown.putAll(contact(contact));
                    found.add(shown);
                }
            }
        }
        if (found.isEmpty() && wanted != null) {
            // Says so if there is no such identity.
            messenger.contacts(CIRCLE, wanted);
        }
        return Map.of("contacts", found);
    }

    private Map<String, Object> relays() throws ProviderException {
        Map<String, Object> answer = new LinkedHashMap<>(accounts(messenger.accounts(CIRCLE)));
        answer.put(
                "health",
                relays.health().stream()
                        .filter(health -> health.scope().equals(CIRCLE.circle()))
                        .map(MessengerMethods::health)
                        .toList());
        return answer;
    }

    private Map<String, Object> messages(Call call, @Nullable String account)
            throws ProviderException, ControlException {
        int limit = (int) call.number("limit", 1, 1000, 50);
        List<Messenger.Message> found = call.has("after")
                ? messenger.messages(CIRCLE, account, call.number("after", 0, Long.MAX_VALUE, 0), limit)
                : messenger.latest(CIRCLE, account, limit);
        return Map.of("messages", found.stream().map(MessengerMethods::message).toList());
    }

    private Map<String, Object> follow(Call call, @Nullable String account) throws ProviderException, ControlException {
        long after;
        if (call.has("after")) {
            after = call.number("after", 0, Long.MAX_VALUE, 0);
        } else {
            List<Messenger.Message> newest = messenger.latest(CIRCLE, account, 1);
            after = newest.isEmpty() ? 0 : newest.get(0).position();
        }
        if (!call.subscriber().start(sink -> feed(sink, account, after))) {
            throw ControlException.of(
                    Kind.REJECTED, "control.follows-already", "This connection follows messages already.");
        }
        return Map.of("after", after);
    }

    /**
     * Messages are read by position and the listener only wakes this thread, so none is sent twice, none is missed, and a
     * slow client costs no memory.
     */
    private void feed(Subscriber.Sink sink, @Nullable String account, long after) throws Exception {
        Semaphore news = new Semaphore(1);
        long position = after;
        try (AutoCloseable listening = messenger.onMessage(CIRCLE, message -> news.release())) {
            while (!vault.state().locked()) {
                if (!news.tryAcquire(LOCK_CHECK_MILLIS, TimeUnit.MILLISECONDS)) {
                    continue;
                }
                news.drainPermits();
                List<Messenger.Message> page = messenger.messages(CIRCLE, account, position, PAGE);
                for (Messenger.Message message : page) {
                    if (vault.state().locked()) {
                        return;
                    }
                    sink.notify("message.event", message(message));
                    position = message.position();
                }
                if (page.size() == PAGE) {
                    news.release();
                }
            }
        }
    }

    private Map<String, Object> ledger(Call call) throws ProviderException, ControlException {
        Ledger.Totals totals = ledger.totals(CIRCLE);
        int limit = (int) call.number("limit", 0, 1000, 50);
        String wanted = call.optionalText("message");
        List<Ledger.Entry> entries =
                limit == 0 ? List.of() : ledger.entries(CIRCLE, wanted == null ? "" : wanted, limit);
        Map<String, Object> byState = new TreeMap<>();
        for (Ledger.State state : Ledger.State.values()) {
            byState.put(name(state), totals.byState().getOrDefault(state, 0L));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("sent", totals.sent());
        answer.put("exact", totals.exact());
        answer.put("byState", byState);
        answer.put("entries", entries.stream().map(MessengerMethods::entry).toList());
        return answer;
    }

    /** By code, from the relay connections and from the wraps that came through them. */
    private Map<String, Long> drops() throws ProviderException {
        Map<String, Long> counts = new TreeMap<>(relays.drops());
        messenger.drops(CIRCLE).forEach((code, count) -> counts.merge(code, count, Long::sum));
        return counts;
    }

    private static String name(Ledger.State state) {
        return state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private static Map<String, Object> entry(Ledger.Entry entry) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("message", entry.messageId());
        shown.put("recipient", entry.recipient());
        shown.put("state", name(entry.state()));
        shown.put("relaysHave", entry.relaysHave());
        shown.put("relaysAll", entry.relaysAll());
        shown.put("reason", entry.reason());
        shown.put("nextTry", entry.nextTry());
        return shown;
    }

    private static Map<String, Object> accounts(List<Messenger.Account> accounts) {
        return Map.of(
                "accounts", accounts.stream().map(MessengerMethods::account).toList());
    }

    private static Map<String, Object> account(Messenger.Account account) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", account.name());
        shown.put("pubkey", account.pubkey().hex());
        shown.put("npub", account.npub());
        shown.put("nprofile", account.nprofile());
        shown.put("relays", account.relays().stream().map(URI::toString).toList());
        shown.put("locked", account.locked());
        return shown;
    }

    private static Map<String, Object> contact(Messenger.Contact contact) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", contact.name());
        shown.put("pubkey", contact.pubkey().hex());
        shown.put("npub", contact.npub());
        shown.put("relays", contact.relays().stream().map(URI::toString).toList());
        return shown;
    }

    private static Map<String, Object> health(RelayHealth health) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("relay", health.relay().toString());
        shown.put("lane", health.lane());
        shown.put("state", health.state());
        shown.put("problem", health.problem());
        shown.put("retryAt", health.retryAt().toEpochMilli());
        return shown;
    }

    private static Map<String, Object> message(Messenger.Message message) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("position", message.position());
        shown.put("id", message.id());
        shown.put("account", message.account());
        shown.put("peer", message.peer().hex());
        shown.put("peerName", message.peerName());
        shown.put("outgoing", message.outgoing());
        shown.put("sentAt", message.sentAt());
        shown.put("text", message.text());
        shown.put("state", message.state());
        return shown;
    }
}
