package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.RELAY_LISTS;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.outbox.Failures;
import im.parley.outbox.LeasedSigner;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes each account's inbox list (kind 10050) to each of its relays until every one has it. What is left to do is a
 * record that changes with the account in one transaction, so it survives anything.
 */
final class RelayLists {
    private static final Logger LOG = LoggerFactory.getLogger(RelayLists.class);
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final Duration RETRY_MIN = Duration.ofSeconds(2);
    private static final Duration RETRY_MAX = Duration.ofMinutes(5);

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Work work;

    // Confined to the loop.
    private final Map<PublicKey, Integer> failures = new HashMap<>();
    private final Set<PublicKey> waiting = new HashSet<>();
    private final Set<String> inFlight = new HashSet<>();

    RelayLists(Scope scope, SealedSpace space, Services services, Work work) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.work = work;
    }

    /**
     * @param createdAt of the event, seconds; grows with each change, because the newest list wins
     * @param relays what the list says
     * @param missing who does not have it yet
     * @param event the signed list as JSON; empty until it could be signed
     */
    private record Pending(long createdAt, List<String> relays, List<String> missing, String event) {
        byte[] write() throws ProviderException {
            return new RecordOutput(1)
                    .number(createdAt)
                    .texts(relays)
                    .texts(missing)
                    .text(event)
                    .done();
        }

        static Pending read(byte[] value) throws ProviderException {
            RecordInput in = new RecordInput(value, 1);
            return new Pending(in.number(), in.texts(), in.texts(), in.text());
        }
    }

    /** Notes in the account's own transaction that its list changed. */
    static void changed(Tx tx, Account account, long nowSeconds) throws ProviderException {
        RecordKey key = RecordKey.of(RELAY_LISTS, account.pubkey().hex());
        byte @Nullable [] old = tx.get(key);
        long last = old == null ? 0 : Pending.read(old).createdAt();
        List<String> relays = account.relays().stream().map(URI::toString).toList();
        tx.put(key, new Pending(Math.max(nowSeconds, last + 1), relays, relays, "").write());
    }

    /** Goes on with what is left to do for that account. Call on the loop. */
    void resume(PublicKey account) {
        if (waiting.contains(account)) {
            return;
        }
        Pending pending;
        try {
            pending = read(account);
        } catch (ProviderException e) {
            again(account);
            return;
        }
        if (pending == null || pending.missing().isEmpty()) {
            failures.remove(account);
        } else if (pending.event().isEmpty()) {
            sign(account, pending);
        } else {
            publish(account, pending);
        }
    }

    private void sign(PublicKey account, Pending pending) {
        List<List<String>> tags = new ArrayList<>();
        for (String relay : pending.relays()) {
            tags.add(List.of("relay", relay));
        }
        String key = account.hex() + " sign";
        if (!inFlight.add(key)) {
            return;
        }
        new LeasedSigner(services.identity(), account, Purpose.RELAY_LIST)
                .sign(new EventTemplate(pending.createdAt(), Kinds.DM_RELAYS, tags, ""), Purpose.RELAY_LIST)
                .whenComplete((event, failure) -> work.inOrder(() -> {
                    inFlight.remove(key);
                    if (failure != null) {
                        // A locked key is waited for; the unlock resumes this.
                        LOG.debug(
                                "inbox list not signed: {}",
                                Failures.of(failure).code());
                        again(account);
                        return;
                    }
                    update(
                            account,
                            pending.createdAt(),
                            now -> new Pending(now.createdAt(), now.relays(), now.missing(), EventWriter.write(event)));
                    resume(account);
                }));
    }

    private void publish(PublicKey account, Pending pending) {
        Event event;
        try {
            event = EventReader.read(pending.event());
        } catch (ProtocolException e) {
            LOG.warn("A stored inbox list could not be read and is signed anew.");
            update(account, pending.createdAt(), now -> new Pending(now.createdAt(), now.relays(), now.missing(), ""));
            again(account);
            return;
        }
        // The same connection as the inbox: that relay knows this account there anyway, and nobody is linked to it.
        Persona persona = Inboxes.persona(scope, services, account);
        for (String text : pending.missing()) {
            URI relay = URI.create(text);
            String key = account.hex() + " " + relay;
            if (!inFlight.add(key)) {
                continue;
            }
            services.relays()
                    .publish(persona, relay, event, TIMEOUT)
                    .whenComplete((result, failure) -> work.inOrder(() -> {
                        inFlight.remove(key);
                        if (failure == null && settled(result)) {
                            if (result.state() == PublishResult.State.REFUSED) {
                                LOG.warn(
                                        "A relay does not take the inbox list; people who look there will not find it.");
                            }
                            failures.remove(account);
                            update(
                                    account,
                                    pending.createdAt(),
                                    now -> new Pending(
                                            now.createdAt(),
                                            now.relays(),
                                            now.missing().stream()
                                                    .filter(other -> !other.equals(text))
                                                    .toList(),
                                            now.event()));
                        } else {
                            again(account);
                        }
                    }));
        }
    }

    /** A relay that only wants to know who asks may take it once the key is there to say so. */
    private static boolean settled(PublishResult result) {
        return switch (result.state()) {
            case ACCEPTED -> true;
            case REFUSED ->
                !result.message().startsWith("auth-required")
                        && !result.message().startsWith("restricted")
                        && !result.message().startsWith("egress.");
            case UNKNOWN -> false;
        };
    }

    private @Nullable Pending read(PublicKey account) throws ProviderException {
        byte @Nullable [] value = space.get(RecordKey.of(RELAY_LISTS, account.hex()));
        return value == null ? null : Pending.read(value);
    }

    @FunctionalInterface
    private interface Change {
        Pending apply(Pending now);
    }

    /** Changes the record if it is still about the same list. */
    private void update(PublicKey account, long createdAt, Change change) {
        try {
            space.transact(tx -> {
                RecordKey key = RecordKey.of(RELAY_LISTS, account.hex());
                byte @Nullable [] value = tx.get(key);
                if (value != null) {
                    Pending now = Pending.read(value);
                    if (now.createdAt() == createdAt) {
                        tx.put(key, change.apply(now).write());
                    }
                }
                return true;
            });
        } catch (ProviderException e) {
            again(account);
        }
    }

    private void again(PublicKey account) {
        if (!waiting.add(account)) {
            return;
        }
        int count = failures.merge(account, 1, Integer::sum);
        long pause = Math.min(RETRY_MAX.toMillis(), RETRY_MIN.toMillis() << Math.min(count - 1, 20));
        Duration delay = Duration.ofMillis(pause / 2 + services.random().nextLong(pause / 2 + 1));
        work.later(delay, () -> {
            waiting.remove(account);
            resume(account);
        });
    }

    /** Tries now what waits. Call on the loop. */
    void hurry(PublicKey account) {
        failures.remove(account);
        waiting.remove(account);
        resume(account);
    }
}
