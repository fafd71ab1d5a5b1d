package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.messenger.Circles;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.vault.Vault;
import java.net.URI;
import java.text.Normalizer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Identities, contacts, relays, messages and the ledger of a circle: the one that a call names, else the default one. */
@Component(name = "im.parley.control.messenger", service = MethodGroup.class)
public final class MessengerMethods implements MethodGroup {
    private static final Logger LOG = LoggerFactory.getLogger(MessengerMethods.class);
    private final Circles circles;
    /** Of this call; the service itself stands in the default one. */
    private final Scope circle;

    private final Messenger messenger;
    private final Conversations conversations;
    private final Ledger ledger;
    private final RelayClient relays;
    private final Vault vault;
    private final InstantSource clock;
    private final ReadableLedger readableLedger;

    @Activate
    public MessengerMethods(
            @Reference Messenger messenger,
            @Reference Circles circles,
            @Reference Conversations conversations,
            @Reference Ledger ledger,
            @Reference RelayClient relays,
            @Reference Vault vault,
            @Reference InstantSource clock) {
        this(Scope.DEFAULT, messenger, circles, conversations, ledger, relays, vault, clock);
    }

    private MessengerMethods(
            Scope circle,
            Messenger messenger,
            Circles circles,
            Conversations conversations,
            Ledger ledger,
            RelayClient relays,
            Vault vault,
            InstantSource clock) {
        this.circle = circle;
        this.messenger = messenger;
        this.circles = circles;
        this.conversations = conversations;
        this.ledger = ledger;
        this.relays = relays;
        this.vault = vault;
        this.clock = clock;
        this.readableLedger = new ReadableLedger(circle, messenger, ledger, clock);
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "identity.new",
                "identity.import",
                "identity.export",
                "identity.unlock",
                "identity.list",
                "contact.add",
                "contact.list",
                "relay.add",
                "relay.remove",
                "relay.list",
                "message.send",
                "message.reply",
                "message.react",
                "message.delete",
                "message.edit",
                "message.history",
                "message.timer",
                "message.list",
                "message.follow",
                "ledger.get",
                "drops.list");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        Scope wanted = circles.find(call.optionalText("circle"));
        return new MessengerMethods(wanted, messenger, circles, conversations, ledger, relays, vault, clock)
                .answer(call);
    }

    private Map<String, Object> answer(Call call) throws ProviderException, ControlException {
        String account = call.optionalText("account");
        return switch (call.method()) {
            case "identity.new" -> account(newIdentity(identity(call), call.secret("passphrase")));
            case "identity.import" -> account(importIdentity(call));
            case "identity.export" -> exportIdentity(call);
            case "identity.unlock" -> account(messenger.unlockAccount(circle, identity(call), passphrase(call)));
            case "identity.list" -> accounts(messenger.accounts(circle));
            case "contact.add" -> contact(newContact(account, call.text("name"), call.text("address")));
            case "contact.list" -> contacts(account);
            case "relay.add" -> addRelay(account, call.text("url"));
            case "relay.remove" -> removeRelay(account, call.text("url"));
            case "relay.list" -> relays();
            case "message.send" -> message(send(account, people(call, "to"), readable(call.text("text"))));
            case "message.reply" ->
                message(messenger.reply(circle, account, call.text("message"), readable(call.text("text"))));
            case "message.react" ->
                message(messenger.react(circle, account, call.text("message"), call.text("reaction")));
            case "message.delete" -> message(messenger.delete(circle, account, call.text("message")));
            case "message.edit" ->
                message(messenger.edit(circle, account, call.text("message"), readable(call.text("text"))));
            case "message.history" -> history(messenger.history(circle, account, call.text("message")));
            case "message.timer" -> timer(call, account);
            case "message.list" -> messages(call, account);
            case "message.follow" -> follow(call, account);
            case "drops.list" -> Map.of("drops", call.has("circle") ? messenger.drops(circle) : drops());
            default -> readableLedger.get(call);
        };
    }

    private static String identity(Call call) throws ControlException {
        String name = call.text("name");
        ForeignAddress.refuseSecretKeyAsName(name, "identity.secret-key");
        return name;
    }

    private Messenger.Account newIdentity(String name, char @Nullable [] passphrase)
            throws ProviderException, ControlException {
        refuseEmpty(passphrase);
        return opened(messenger.createAccount(circle, name, passphrase), passphrase);
    }

    private Messenger.Account importIdentity(Call call) throws ProviderException, ControlException {
        char[] passphrase = call.secret("passphrase");
        refuseEmpty(passphrase);
        char[] key = call.secret("key");
        return opened(
                messenger.importAccount(
                        circle, identity(call), key == null ? new char[0] : key, call.secret("password"), passphrase),
                passphrase);
    }

    private Map<String, Object> exportIdentity(Call call) throws ProviderException, ControlException {
        char[] password = call.secret("password");
        String name = identity(call);
        String sealed = messenger.exportKey(circle, name, password == null ? new char[0] : password);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ncryptsec", sealed);
        answer.put(
                "npub",
                messenger.accounts(circle).stream()
                        .filter(account ->
                                account.name().equals(name) || account.npub().equals(name))
                        .map(Messenger.Account::npub)
                        .findFirst()
                        .orElse(""));
        return answer;
    }

    private static void refuseEmpty(char @Nullable [] passphrase) throws ControlException {
        if (passphrase != null && passphrase.length == 0) {
            throw ControlException.of(Kind.REJECTED, "passphrase.empty", "The passphrase is empty.");
        }
    }

    /** The one who chose the passphrase has just given it, so the key is open as it would be after an unlock. */
    private Messenger.Account opened(Messenger.Account made, char @Nullable [] passphrase) throws ProviderException {
        if (passphrase == null) {
            return made;
        }
        try {
            return messenger.unlockAccount(circle, made.npub(), passphrase);
        } catch (ProviderException e) {
            // The identity is there; that its key is closed is said in the answer.
            LOG.warn("a new identity's key was not opened: {}", e.code());
            return made;
        }
    }

    private Messenger.Contact newContact(@Nullable String account, String name, String address)
            throws ProviderException, ControlException {
        ForeignAddress.refuseSecretKeyAsName(name, "contact.secret-key");
        ForeignAddress.refuseSecretKey(address);
        PublicKey pubkey = ForeignAddress.pubkey(address);
        if (pubkey != null) {
            for (Messenger.Account own : messenger.accounts(circle)) {
                if (own.pubkey().equals(pubkey)) {
                    throw ControlException.of(
                            Kind.REJECTED, "contact.self", "That is your own identity " + own.name() + ".");
                }
            }
            String composed = Normalizer.normalize(name, Normalizer.Form.NFC);
            for (Messenger.Contact known : messenger.contacts(circle, account)) {
                if (known.pubkey().equals(pubkey) && !known.name().equals(composed)) {
                    throw ControlException.of(
                            Kind.REJECTED,
                            "contact.known",
                            "You know her already: she is called " + known.name() + ".");
                }
            }
        }
        return messenger.addContact(circle, account, name, address);
    }

    private Map<String, Object> addRelay(@Nullable String account, String url) throws ProviderException {
        Map<PublicKey, Set<URI>> before = relaySets(messenger.accounts(circle));
        List<Messenger.Account> after = messenger.addRelay(circle, account, url);
        Map<String, Object> answer = new LinkedHashMap<>(accounts(after));
        answer.put("relay", normal(url));
        answer.put("added", !before.entrySet().containsAll(relaySets(after).entrySet()));
        return answer;
    }

    /** As it stands in lists and in the health; the messenger has accepted it. */
    private static String normal(String url) {
        try {
            return RelayUrls.normalise(url.strip()).toString();
        } catch (ProtocolException e) {
            return url;
        }
    }

    private Map<String, Object> removeRelay(@Nullable String account, String url)
            throws ProviderException, ControlException {
        Map<PublicKey, Set<URI>> before = relaySets(messenger.accounts(circle));
        List<Messenger.Account> after = messenger.removeRelay(circle, account, url);
        if (before.entrySet().containsAll(relaySets(after).entrySet())) {
            throw ControlException.of(Kind.REJECTED, "relay.unknown", "It is no inbox relay of yours.");
        }
        return accounts(after);
    }

    private static Map<PublicKey, Set<URI>> relaySets(List<Messenger.Account> accounts) {
        Map<PublicKey, Set<URI>> sets = new HashMap<>();
        accounts.forEach(account -> sets.put(account.pubkey(), Set.copyOf(account.relays())));
        return sets;
    }

    /** The first alone, and whoever else is in the room, one in a line. */
    static List<String> people(Call call, String first) throws ControlException {
        List<String> to = new ArrayList<>(List.of(call.text(first)));
        String others = call.optionalText("and");
        if (others != null) {
            others.lines().filter(line -> !line.isBlank()).forEach(to::add);
        }
        return to;
    }

    private Messenger.Message send(@Nullable String account, List<String> to, String text)
            throws ProviderException, ControlException {
        for (String each : to) {
            ForeignAddress.refuseSecretKey(each);
        }
        return messenger.send(circle, account, to, text);
    }

    private Map<String, Object> timer(Call call, @Nullable String account) throws ProviderException, ControlException {
        List<String> with = people(call, "with");
        for (String each : with) {
            ForeignAddress.refuseSecretKey(each);
        }
        Duration after = call.has("seconds")
                ? Duration.ofSeconds(call.number("seconds", 0, Messenger.MOST_TIMER.toSeconds(), 0))
                : null;
        return Map.of("seconds", messenger.timer(circle, account, with, after));
    }

    private static String readable(String text) throws ControlException {
        if (text.codePoints().noneMatch(MessengerMethods::visible)) {
            throw ControlException.of(Kind.REJECTED, "message.empty", "There is nothing in it to read.");
        }
        return text;
    }

    private static boolean visible(int c) {
        return switch (Character.getType(c)) {
            case Character.SPACE_SEPARATOR,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.CONTROL,
                    Character.FORMAT -> false;
            default -> true;
        };
    }

    private static char[] passphrase(Call call) {
        char[] given = call.secret("passphrase");
        return given == null ? new char[0] : given;
    }

    private Map<String, Object> contacts(@Nullable String wanted) throws ProviderException {
        List<Map<String, Object>> found = new ArrayList<>();
        for (Messenger.Account account : messenger.accounts(circle)) {
            if (wanted == null || wanted.equals(account.name()) || wanted.equals(account.npub())) {
                for (Messenger.Contact contact : messenger.contacts(circle, account.name())) {
                    Map<String, Object> shown = new LinkedHashMap<>();
                    shown.put("account", account.name());
                    shown.putAll(contact(contact));
                    found.add(shown);
                }
            }
        }
        if (found.isEmpty() && wanted != null) {
            // Says so if there is no such identity.
            messenger.contacts(circle, wanted);
        }
        return Map.of("contacts", found);
    }

    private Map<String, Object> relays() throws ProviderException {
        Map<String, Object> answer = new LinkedHashMap<>(accounts(messenger.accounts(circle)));
        answer.put(
                "health",
                relays.health().stream()
                        .filter(health -> health.scope().equals(circle.circle()))
                        .map(MessengerMethods::health)
                        .toList());
        answer.put("now", clock.millis());
        return answer;
    }

    private Map<String, Object> messages(Call call, @Nullable String account)
            throws ProviderException, ControlException {
        int limit = (int) call.number("limit", 1, 1000, 50);
        List<Messenger.Message> found = call.has("after")
                ? messenger.messages(circle, account, call.number("after", 0, Long.MAX_VALUE, 0), limit)
                : messenger.latest(circle, account, limit);
        return Map.of("messages", found.stream().map(MessengerMethods::message).toList());
    }

    private Map<String, Object> follow(Call call, @Nullable String account) throws ProviderException, ControlException {
        long after;
        if (call.has("after")) {
            after = call.number("after", 0, Long.MAX_VALUE, 0);
        } else {
            List<Messenger.Message> newest = messenger.latest(circle, account, 1);
            after = newest.isEmpty() ? 0 : newest.get(0).position();
        }
        MessageFeed feed = new MessageFeed(
                circle,
                messenger,
                conversations,
                ledger,
                vault,
                account,
                after,
                call.flag("states"),
                call.flag("typing"));
        if (!call.subscriber().start(feed)) {
            throw ControlException.of(
                    Kind.REJECTED, "control.follows-already", "This connection follows messages already.");
        }
        return Map.of("after", after);
    }

    /** By code, from the relay connections and from the wraps that came through them. */
    private Map<String, Long> drops() throws ProviderException {
        Map<String, Long> counts = new TreeMap<>(relays.drops());
        messenger.drops(circle).forEach((code, count) -> counts.merge(code, count, Long::sum));
        return counts;
    }

    private static Map<String, Object> accounts(List<Messenger.Account> accounts) {
        return Map.of(
                "accounts", accounts.stream().map(MessengerMethods::account).toList());
    }

    static Map<String, Object> account(Messenger.Account account) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", account.name());
        shown.put("pubkey", account.pubkey().hex());
        shown.put("npub", account.npub());
        shown.put("nprofile", account.nprofile());
        shown.put("relays", account.relays().stream().map(URI::toString).toList());
        shown.put("locked", account.locked());
        return shown;
    }

    static Map<String, Object> contact(Messenger.Contact contact) {
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

    static Map<String, Object> message(Messenger.Message message) {
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
        shown.put("what", message.what().name().toLowerCase(Locale.ROOT));
        shown.put("about", message.about());
        shown.put("room", message.room());
        shown.put("members", message.members());
        shown.put(
                "reactions",
                message.reactions().stream()
                        .map(reaction -> Map.of("by", reaction.by(), "content", reaction.content()))
                        .toList());
        shown.put("deleted", message.deleted());
        shown.put("expires", message.expires());
        shown.put("edits", message.edits());
        shown.put(
                "mentions",
                message.mentions().stream()
                        .map(mention ->
                                Map.of("address", mention.address(), "name", mention.name(), "self", mention.self()))
                        .toList());
        shown.put("file", message.file() == null ? List.of() : List.of(attachment(message.file())));
        return shown;
    }

    private static Map<String, Object> attachment(Messenger.Attachment file) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", file.name());
        shown.put("type", file.mediaType());
        shown.put("size", file.sizeBytes());
        shown.put("width", file.width());
        shown.put("height", file.height());
        shown.put("blurhash", file.blurhash());
        shown.put("duration", file.durationMillis());
        shown.put("sha256", file.sha256());
        return shown;
    }

    private static Map<String, Object> history(List<Messenger.Version> versions) {
        return Map.of(
                "versions",
                versions.stream()
                        .map(version -> Map.of("at", version.at(), "text", version.text()))
                        .toList());
    }
}
