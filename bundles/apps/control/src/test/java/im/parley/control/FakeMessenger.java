package im.parley.control;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import java.net.URI;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Keeps everything in lists; sends to itself. */
final class FakeMessenger implements Messenger, Ledger {
    static final PublicKey KEY = PublicKey.ofHex("ab".repeat(32));

    final List<Consumer<Message>> listeners = new CopyOnWriteArrayList<>();
    private final List<Message> messages = new ArrayList<>();
    private final List<Account> accounts = new ArrayList<>();

    @Override
    public Account createAccount(Scope scope, String name, char @Nullable [] passphrase) throws ProviderException {
        if (accounts.stream().anyMatch(account -> account.name().equals(name))) {
            throw new ProviderException(Kind.REJECTED, "identity.name-taken", "There is one called so.");
        }
        Account account = new Account(
                name, KEY, "npub1x", "nprofile1x", List.of(URI.create("ws://127.0.0.1:7470")), passphrase != null);
        accounts.add(account);
        return account;
    }

    @Override
    public Account unlockAccount(Scope scope, @Nullable String account, char[] passphrase) {
        return accounts.get(0);
    }

    @Override
    public List<Account> accounts(Scope scope) {
        return List.copyOf(accounts);
    }

    @Override
    public Contact addContact(Scope scope, @Nullable String account, String name, String address) {
        return new Contact(name, KEY, address, List.of());
    }

    @Override
    public List<Contact> contacts(Scope scope, @Nullable String account) {
        return List.of(new Contact("bob", KEY, "npub1x", List.of()));
    }

    @Override
    public List<Account> addRelay(Scope scope, @Nullable String account, String url) {
        return accounts(scope);
    }

    @Override
    public List<Account> removeRelay(Scope scope, @Nullable String account, String url) {
        return accounts(scope);
    }

    @Override
    public Message send(Scope scope, @Nullable String account, String to, String text) {
        Message message;
        synchronized (messages) {
            message = new Message(
                    messages.size() + 1L, "id" + messages.size(), "alice", KEY, to, true, 1_000, text, "queued");
            messages.add(message);
        }
        listeners.forEach(listener -> listener.accept(message));
        return message;
    }

    @Override
    public List<Message> messages(Scope scope, @Nullable String account, long after, int limit) {
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
        Map<State, Long> byState = new EnumMap<>(State.class);
        for (State state : State.values()) {
            byState.put(state, state == State.AT_RELAYS ? 2L : 0L);
        }
        return new Totals(2, byState);
    }

    @Override
    public List<Entry> entries(Scope scope, String messageId, int limit) {
        return List.of(new Entry("id0", KEY.hex(), State.AT_RELAYS, 1, 1, "", 0));
    }
}
