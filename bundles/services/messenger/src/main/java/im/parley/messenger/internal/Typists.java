package im.parley.messenger.internal;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.Purpose;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Conversations.Typing;
import im.parley.outbox.LeasedSigner;
import im.parley.protocol.EventHash;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.relayclient.Persona;
import im.parley.vault.SealedSpace;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who writes just now: rumors of kind 78 with a {@code t} tag {@value Signals#TYPING} in ephemeral wraps (kind 21059). They are
 * sent past the outbox, because nothing of them is worth keeping or repeating. Thread-safe.
 */
final class Typists {
    /** How long somebody counts as writing. */
    static final Duration LASTS = Duration.ofSeconds(10);

    private static final Logger LOG = LoggerFactory.getLogger(Typists.class);
    private static final Duration EVERY = Duration.ofSeconds(5);
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final int MOST_REMEMBERED = 1_000;

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Directory directory;
    private final LongSupplier nanoTime;
    private final List<Consumer<Typing>> listeners = new CopyOnWriteArrayList<>();
    /** When a conversation was last told, by the monotonic clock. */
    private final Map<String, Long> told = new HashMap<>();

    Typists(Scope scope, SealedSpace space, Services services, Directory directory, LongSupplier nanoTime) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.directory = directory;
        this.nanoTime = nanoTime;
    }

    AutoCloseable listen(Consumer<Typing> listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }

    /** Whether anybody wants to know; nothing has to be opened otherwise. */
    boolean listened() {
        return !listeners.isEmpty();
    }

    // ---- telling ----

    /** Tells the members of a room, unless they were told a moment ago. */
    void tell(PublicKey account, Room room) throws ProviderException {
        String conversation = room.conversation().id();
        boolean wanted = space.transact(tx -> {
            Chat chat = ChatBook.chat(tx, account, conversation);
            return chat != null
                    && chat.accepted()
                    && ChatBook.settings(tx, account).typing();
        });
        if (!wanted || !due(conversation)) {
            return;
        }
        List<PublicKey> others =
                room.all().stream().filter(member -> !member.equals(account)).toList();
        List<List<String>> tags = new ArrayList<>();
        tags.add(List.of("t", Signals.TYPING));
        others.forEach(other -> tags.add(List.of("p", other.hex())));
        Rumor rumor;
        try {
            rumor = EventHash.rumor(account, services.clock().instant().getEpochSecond(), Kinds.SIGNAL, tags, "");
        } catch (ProtocolException e) {
            throw new IllegalStateException("a rumor without text is one", e);
        }
        LeasedSigner signer = new LeasedSigner(services.identity(), account, Purpose.SEAL);
        for (PublicKey other : others) {
            directory.relaysOf(other).whenComplete((relays, failure) -> {
                if (failure == null && !relays.isEmpty()) {
                    services.envelope().wrap(signer, rumor, other, true, null).whenComplete((wrap, trouble) -> {
                        if (trouble == null) {
                            publish(wrap, relays);
                        }
                    });
                }
            });
        }
    }

    private void publish(Event wrap, List<URI> relays) {
        Persona nobody = Persona.anonymous(scope, "out");
        for (URI relay : relays) {
            services.relays().publish(nobody, relay, wrap, PATIENCE);
        }
    }

    private boolean due(String conversation) {
        synchronized (told) {
            long now = nanoTime.getAsLong();
            Long last = told.get(conversation);
            if (last != null && now - last < EVERY.toNanos()) {
                return false;
            }
            if (told.size() >= MOST_REMEMBERED) {
                told.values().removeIf(at -> now - at >= EVERY.toNanos());
            }
            told.put(conversation, now);
            return true;
        }
    }

    // ---- being told ----

    /** An authentic rumor out of an ephemeral wrap. */
    void heard(Account account, Rumor rumor, PublicKey sender) throws ProviderException {
        long age = services.clock().instant().getEpochSecond() - rumor.createdAt();
        if (!Signals.type(rumor).equals(Signals.TYPING)
                || sender.equals(account.pubkey())
                || Math.abs(age) > LASTS.toSeconds()) {
            return;
        }
        String conversation = Room.of(account.pubkey(), rumor).conversation().id();
        String name = space.transact(tx -> {
            Chat chat = ChatBook.chat(tx, account.pubkey(), conversation);
            boolean letIn = chat != null && chat.accepted() && !ChatBook.isBlocked(tx, account.pubkey(), sender);
            return letIn ? Contacts.named(sender, Contacts.names(tx, account)) : "";
        });
        if (name.isEmpty()) {
            return;
        }
        Typing typing = new Typing(
                account.name(), conversation, sender, name, services.clock().millis() + LASTS.toMillis());
        for (Consumer<Typing> listener : listeners) {
            try {
                listener.accept(typing);
            } catch (RuntimeException e) {
                LOG.warn("A listener failed when it was told who writes.", e);
            }
        }
    }
}
