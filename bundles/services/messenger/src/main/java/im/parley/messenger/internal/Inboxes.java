package im.parley.messenger.internal;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.outbox.LeasedSigner;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.RelayClient.Subscription;
import im.parley.vault.SealedSpace;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one inbox open per account and relay. An inbox whose wraps could not be written is opened anew, so that they come
 * again: the frontier moves only behind a sync that was written whole. Confined to the loop but for the listeners.
 */
final class Inboxes {
    private static final Logger LOG = LoggerFactory.getLogger(Inboxes.class);
    private static final Duration REOPEN_MIN = Duration.ofSeconds(1);
    private static final Duration REOPEN_MAX = Duration.ofMinutes(1);

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Work work;
    private final Function<Account, Intake> intakes;

    private final Map<Key, Open> open = new HashMap<>();
    private final Set<Key> reopening = new HashSet<>();
    private final Map<Key, Integer> failures = new HashMap<>();
    private Set<Key> wanted = Set.of();
    private Map<PublicKey, Account> accounts = Map.of();

    private record Key(PublicKey account, URI relay) {}

    private record Open(Subscription subscription, Listener listener) {}

    Inboxes(Scope scope, SealedSpace space, Services services, Work work, Function<Account, Intake> intakes) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.work = work;
        this.intakes = intakes;
    }

    /** As which a relay knows an account: by its own key, on a connection of its own. */
    static Persona persona(Scope scope, Services services, PublicKey account) {
        return new Persona(
                scope, account, "inbox", () -> new LeasedSigner(services.identity(), account, Purpose.RELAY_AUTH));
    }

    /** Opens and closes until exactly the inboxes of these accounts are open. */
    void keep(List<Account> unlocked) {
        Map<PublicKey, Account> byKey = new HashMap<>();
        Set<Key> keys = new HashSet<>();
        for (Account account : unlocked) {
            byKey.put(account.pubkey(), account);
            for (URI relay : account.relays()) {
                keys.add(new Key(account.pubkey(), relay));
            }
        }
        accounts = byKey;
        wanted = keys;
        for (Key key : List.copyOf(open.keySet())) {
            if (!keys.contains(key)) {
                close(key);
            }
        }
        keys.forEach(this::open);
    }

    void closeAll() {
        wanted = Set.of();
        for (Key key : List.copyOf(open.keySet())) {
            close(key);
        }
    }

    private void open(Key key) {
        Account account = accounts.get(key.account());
        if (account == null || open.containsKey(key) || reopening.contains(key)) {
            return;
        }
        Listener listener = new Listener(key, intakes.apply(account));
        open.put(
                key,
                new Open(
                        services.relays().inbox(persona(scope, services, key.account()), key.relay(), listener),
                        listener));
    }

    private void close(Key key) {
        Open closed = open.remove(key);
        if (closed != null) {
            // In this order: the other way round what is just being handed over would look like a failure.
            closed.subscription().close();
            closed.listener().ended = true;
        }
    }

    private void failed(Key key, Listener listener, ProviderException failure) {
        Open now = open.get(key);
        if (now == null || now.listener() != listener) {
            return;
        }
        LOG.warn(
                "An inbox is read again later, because its messages could not be written ({}): {}",
                failure.code(),
                failure.getMessage());
        close(key);
        reopening.add(key);
        int count = failures.merge(key, 1, Integer::sum);
        long pause = Math.min(REOPEN_MAX.toMillis(), REOPEN_MIN.toMillis() << Math.min(count - 1, 10));
        work.later(Duration.ofMillis(pause), () -> {
            reopening.remove(key);
            if (wanted.contains(key)) {
                open(key);
            }
        });
    }

    /** One inbox; its calls come one after another from the relay client. */
    private final class Listener implements InboxListener {
        private final Key key;
        private final Intake intake;
        private volatile boolean ended;

        Listener(Key key, Intake intake) {
            this.key = key;
            this.intake = intake;
        }

        @Override
        public long frontier() {
            try {
                return space.transact(tx -> Book.frontier(tx, key.account(), key.relay()));
            } catch (ProviderException e) {
                // From the beginning is slow and always right.
                return 0;
            }
        }

        @Override
        public void stored(List<Event> wraps) {
            run(() -> intake.stored(wraps));
        }

        @Override
        public void synced(long startedAt) {
            run(() -> {
                space.transact(tx -> {
                    if (Book.frontier(tx, key.account(), key.relay()) < startedAt) {
                        Book.putFrontier(tx, key.account(), key.relay(), startedAt);
                    }
                    return true;
                });
                work.inOrder(() -> failures.remove(key));
            });
        }

        @Override
        public void live(Event wrap) {
            run(() -> intake.live(wrap));
        }

        @Override
        public void passing(Event wrap) {
            if (!ended) {
                intake.passing(wrap);
            }
        }

        private void run(Writing writing) {
            if (ended || work.closed()) {
                throw new RejectedExecutionException("this inbox was closed");
            }
            try {
                writing.run();
            } catch (ProviderException e) {
                work.inOrder(() -> failed(key, this, e));
                // The relay client must not take these for delivered.
                throw new IllegalStateException(e.code(), e);
            }
        }
    }

    @FunctionalInterface
    private interface Writing {
        void run() throws ProviderException;
    }
}
