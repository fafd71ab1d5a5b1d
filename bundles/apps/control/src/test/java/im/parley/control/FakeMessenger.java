package im.parley.control;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.files.PutOptions;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import im.parley.protocol.Nip19;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Keeps everything in lists; sends to itself. */
final class FakeMessenger implements Messenger, Ledger {
    /** Of bob, a contact of everyone. */
    static final PublicKey KEY = PublicKey.ofHex("ab".repeat(32));

    final List<Consumer<Message>> listeners = new CopyOnWriteArrayList<>();
    private final List<Message> messages = new ArrayList<>();
    private final List<Account> accounts = new ArrayList<>();
    private final Map<String, String> passphrases = new HashMap<>();
    final List<String> added = new ArrayList<>();
    /** The circles whose identities were asked for. */
    final List<Scope> asked = new ArrayList<>();
    /** Reads of messages and of ledger entries. */
    final AtomicInteger reads = new AtomicInteger();
    /** Reads of the ledger's sums, which cost next to nothing. */
    final AtomicInteger sums = new AtomicInteger();

    /** The id of the message with that number. */
    static String id(int number) {
        return "%04x".formatted(number) + "e".repeat(60);
    }

    /** Lets a message reach its relay. */
    void arrive(long position) {
        synchronized (messages) {
            Message old = messages.get((int) position - 1);
            messages.set(
                    (int) position - 1,
                    new Message(
                            old.position(),
                            old.id(),
                            old.account(),
                            old.peer(),
                            old.peerName(),
                            true,
                            old.sentAt(),
                            old.text(),
                            "at relays 1/1",
                            old.what(),
                            old.about(),
                            old.room(),
                            old.members(),
                            old.reactions(),
                            old.deleted(),
                            old.expires(),
                            old.edits(),
                            old.mentions(),
                            old.file()));
        }
    }

    @Override
    public Account createAccount(Scope scope, String name, char @Nullable [] passphrase) throws ProviderException {
        if (accounts.stream().anyMatch(account -> account.name().equals(name))) {
            throw new ProviderException(Kind.REJECTED, "identity.name-taken", "There is one called so.");
        }
        PublicKey key = PublicKey.ofHex("0" + (accounts.size() + 1) + "cd".repeat(31));
        Account account = new Account(
                name,
                key,
                Nip19.npub(key),
                "nprofile1x",
                List.of(URI.create("ws://127.0.0.1:7470")),
                passphrase != null);
        accounts.add(account);
        passphrases.put(Nip19.npub(key), passphrase == null ? "" : new String(passphrase));
        return account;
    }

    @Override
    public Account importAccount(
            Scope scope, String name, char[] key, char @Nullable [] password, char @Nullable [] passphrase)
            throws ProviderException {
        return createAccount(scope, name, passphrase);
    }

    @Override
    public Account adoptAccount(Scope scope, String name, PublicKey pubkey) throws ProviderException {
        return createAccount(scope, name, null);
    }

    @Override
    public String exportKey(Scope scope, @Nullable String account, char[] password) {
        return "ncryptsec1" + password.length;
    }

    @Override
    public Account unlockAccount(Scope scope, @Nullable String account, char[] passphrase) throws ProviderException {
        for (int i = 0; i < accounts.size(); i++) {
            Account one = accounts.get(i);
            if (one.npub().equals(account) || one.name().equals(account)) {
                if (!new String(passphrase).equals(passphrases.get(one.npub()))) {
                    throw new ProviderException(
                            Kind.AUTHENTICATION, "vault.wrong-passphrase", "That is not the passphrase.");
                }
                accounts.set(i, new Account(one.name(), one.pubkey(), one.npub(), one.nprofile(), one.relays(), false));
                return accounts.get(i);
            }
        }
        throw new ProviderException(Kind.REJECTED, "account.unknown", "There is none. List them to see the names.");
    }

    @Override
    public List<Account> accounts(Scope scope) {
        asked.add(scope);
        return List.copyOf(accounts);
    }

    @Override
    public Contact addContact(Scope scope, @Nullable String account, String name, String address) {
        added.add(address);
        return new Contact(name, KEY, address, List.of());
    }

    @Override
    public List<Contact> contacts(Scope scope, @Nullable String account) {
        return List.of(new Contact("bob", KEY, Nip19.npub(KEY), List.of()));
    }

    @Override
    public List<Account> addRelay(Scope scope, @Nullable String account, String url) {
        return change(relays -> {
            if (!relays.contains(URI.create(url))) {
                relays.add(URI.create(url));
            }
        });
    }

    @Override
    public List<Account> removeRelay(Scope scope, @Nullable String account, String url) {
        return change(relays -> relays.remove(URI.create(url)));
    }

    private List<Account> change(Consumer<List<URI>> change) {
        accounts.replaceAll(one -> {
            List<URI> relays = new ArrayList<>(one.relays());
            change.accept(relays);
            return new Account(one.name(), one.pubkey(), one.npub(), one.nprofile(), relays, one.locked());
        });
        return List.copyOf(accounts);
    }

    @Override
    public Message send(Scope scope, @Nullable String account, List<String> to, String text) {
        return add(to, text, What.TEXT, "");
    }

    @Override
    public Message send(Scope scope, @Nullable String account, String to, String text) {
        return send(scope, account, List.of(to), text);
    }

    private Message add(List<String> to, String text, What what, String about) {
        Message message;
        synchronized (messages) {
            message = new Message(
                    messages.size() + 1L,
                    id(messages.size()),
                    "alice",
                    KEY,
                    to.get(0),
                    true,
                    1_000,
                    text,
                    "queued",
                    what,
                    about,
                    "room",
                    to,
                    List.of(),
                    false,
                    0,
                    0,
                    List.of(),
                    null);
            messages.add(message);
        }
        listeners.forEach(listener -> listener.accept(message));
        return message;
    }

    @Override
    public long timer(Scope scope, @Nullable String account, List<String> with, @Nullable Duration after) {
        return after == null ? 60 : after.toSeconds();
    }

    @Override
    public String sendFile(Scope scope, @Nullable String account, List<String> to, Path file, PutOptions options) {
        return "7";
    }

    @Override
    public String saveFile(Scope scope, @Nullable String account, String id, Path target, boolean replace) {
        return "8";
    }

    @Override
    public Message edit(Scope scope, @Nullable String account, String id, String text) {
        return add(List.of("bob"), text, What.EDIT, id);
    }

    @Override
    public List<Version> history(Scope scope, @Nullable String account, String id) {
        return List.of(new Version(1_000, "old"), new Version(2_000, "new"));
    }

    @Override
    public Message reply(Scope scope, @Nullable String account, String id, String text) {
        return add(List.of("bob"), text, What.TEXT, id);
    }

    @Override
    public Message react(Scope scope, @Nullable String account, String id, String reaction) {
        return add(List.of("bob"), reaction, What.REACTION, id);
    }

    @Override
    public Message delete(Scope scope, @Nullable String account, String id) throws ProviderException {
        if (messages.stream().noneMatch(message -> message.id().equals(id))) {
            throw new ProviderException(Kind.REJECTED, "message.unknown", "There is none.");
        }
        return add(List.of("bob"), "", What.DELETION, id);
    }

    @Override
    public List<Message> messages(Scope scope, @Nullable String account, long after, int limit) {
        reads.incrementAndGet();
        synchronized (messages) {
            return messages.stream()
                    .filter(message -> message.position() > after)
                    .limit(limit)
                    .toList();
        }
    }

    @Override
    public List<Message> latest(Scope scope, @Nullable String account, int limit) {
        synchronized (messages) {
            return List.copyOf(messages.subList(Math.max(0, messages.size() - limit), messages.size()));
        }
    }

    @Override
    public AutoCloseable onMessage(Scope scope, Consumer<Message> listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }

    @Override
    public Totals totals(Scope scope) {
        sums.incrementAndGet();
        Map<State, Long> byState = new EnumMap<>(State.class);
        for (State state : State.values()) {
            byState.put(state, 0L);
        }
        synchronized (messages) {
            for (Message message : messages) {
                byState.merge(message.state().startsWith("at relays") ? State.AT_RELAYS : State.QUEUED, 1L, Long::sum);
            }
            return new Totals(messages.size(), byState);
        }
    }

    @Override
    public List<Entry> entries(Scope scope, String messageId, int limit) {
        reads.incrementAndGet();
        List<Entry> entries = new ArrayList<>();
        synchronized (messages) {
            for (int i = messages.size() - 1; i >= 0 && entries.size() < limit; i--) {
                Message message = messages.get(i);
                if (messageId.isEmpty() || messageId.equals(message.id())) {
                    boolean there = message.state().startsWith("at relays");
                    entries.add(new Entry(
                            message.id(),
                            KEY.hex(),
                            there ? State.AT_RELAYS : State.QUEUED,
                            there ? 1 : 0,
                            1,
                            there ? "" : "egress.refused",
                            there ? 0 : 2_000));
                }
            }
        }
        return entries;
    }
}
