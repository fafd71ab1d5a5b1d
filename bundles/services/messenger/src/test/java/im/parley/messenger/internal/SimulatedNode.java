package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.egress.EgressControl;
import im.parley.envelope.Envelope;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.Ledger;
import im.parley.outbox.internal.StepOutbox;
import im.parley.outbox.internal.Threads;
import im.parley.outbox.simulation.Life;
import im.parley.outbox.simulation.MemoryRecords;
import im.parley.outbox.simulation.NoContext;
import im.parley.outbox.simulation.OpenEnvelope;
import im.parley.outbox.simulation.SimulatedCrash;
import im.parley.outbox.simulation.SimulatedKeys;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.SimulatedSlot;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.scheme.nip17.Nip17;
import im.parley.testkit.SeededRandom;
import java.net.URI;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A node that is booted, killed and booted again on what it left: records and keys. */
final class SimulatedNode {
    final VirtualTime time;
    final SimulatedRelays relays;
    final MemoryRecords records = new MemoryRecords();
    final MemoryRecords.Faults faults = new MemoryRecords.Faults();
    final Set<String> allowed = new TreeSet<>();
    /** What may be reached, by circle. */
    final Map<Scope, Set<String>> named = new HashMap<>();

    final List<Message> told = new ArrayList<>();
    final SimulatedSlot<EncryptionScheme> schemes;
    final SimulatedSlot<IdentityProvider> identities;
    final SecureRandom random;
    private final Function<SecureRandom, Envelope> envelopes;
    /** Where this node's relay listens; empty if it runs none. */
    String ownRelay;

    private final boolean quick;

    /** What moves files; null if nothing does. Heard from the next boot on. */
    im.parley.files.@Nullable FileTransfers files;

    Life life = new Life();
    StepOutbox outbox;
    NodeMessenger messenger;
    int boots;

    SimulatedNode(VirtualTime time, SimulatedRelays relays, String ownRelay) {
        this(time, relays, ownRelay, false);
    }

    /** @param quick look-ups are done within the call that waits for them, because nothing else moves time */
    SimulatedNode(VirtualTime time, SimulatedRelays relays, String ownRelay, boolean quick) {
        this(
                time,
                relays,
                ownRelay,
                new SimulatedKeys(time.random()),
                random -> new OpenEnvelope(time.clock(), time.random()),
                quick);
    }

    SimulatedNode(
            VirtualTime time,
            SimulatedRelays relays,
            String ownRelay,
            IdentityProvider keys,
            Function<SecureRandom, Envelope> envelopes,
            boolean quick) {
        this.quick = quick;
        this.time = time;
        this.relays = relays;
        this.ownRelay = ownRelay;
        this.envelopes = envelopes;
        identities = new SimulatedSlot<>("identity", keys);
        schemes = new SimulatedSlot<>("scheme", new Nip17().open(new NoContext()));
        random = new SeededRandom(time.random().nextLong());
        boot();
    }

    final void boot() {
        boots++;
        life = new Life();
        var spaces = records.seenBy(life, time.random(), faults);
        var client = relays.seenBy(life);
        var envelope = envelopes.apply(random);
        Life mine = life;
        outbox = StepOutbox.on(
                circle -> new Threads(time.executor(mine), time.executor(mine), time::nanoTime),
                spaces,
                schemes,
                identities,
                envelope,
                client,
                time.clock(),
                random);
        messenger = NodeMessenger.on(
                new Services(
                        spaces,
                        outbox,
                        envelope,
                        client,
                        new Gate(),
                        identities,
                        time.clock(),
                        random,
                        endpoint(),
                        files),
                circle -> new Work(time.executor(mine), quick ? Runnable::run : time.executor(mine)),
                time::nanoTime);
        try {
            messenger.onMessage(Scope.DEFAULT, told::add);
        } catch (SimulatedCrash e) {
            life.end();
        }
    }

    void kill() {
        life.end();
    }

    /** Stops as an operator would; what is under way ends. */
    void stop() {
        messenger.close();
        outbox.close();
        life.end();
    }

    PublicKey create(String name) throws ProviderException {
        return messenger.createAccount(Scope.DEFAULT, name, null).pubkey();
    }

    List<Message> messages() {
        return calm(() -> messenger.messages(Scope.DEFAULT, null, 0, 1_000));
    }

    List<String> texts(boolean outgoing) {
        return messages().stream()
                .filter(message -> message.outgoing() == outgoing)
                .map(Message::text)
                .toList();
    }

    Ledger.Totals totals() {
        return calm(() -> outbox.totals(Scope.DEFAULT));
    }

    List<Ledger.Entry> ledger() {
        return calm(() -> outbox.entries(Scope.DEFAULT, "", 1_000));
    }

    SimulatedKeys keys() throws ProviderException {
        try (var lease = identities.acquire()) {
            return (SimulatedKeys) lease.get();
        }
    }

    im.parley.vault.SealedSpace space() {
        return records.observed().open(CircleRecords.space(Scope.DEFAULT));
    }

    interface Ask<T> {
        T now() throws ProviderException;
    }

    /** Asks without faults: the answer is checked, not the asking. */
    <T> T calm(Ask<T> ask) {
        MemoryRecords.Faults kept = new MemoryRecords.Faults();
        kept.crashAfter = faults.crashAfter;
        kept.crashBefore = faults.crashBefore;
        kept.unavailable = faults.unavailable;
        faults.crashAfter = 0;
        faults.crashBefore = 0;
        faults.unavailable = 0;
        try {
            return ask.now();
        } catch (ProviderException e) {
            throw new AssertionError(e);
        } finally {
            faults.crashAfter = kept.crashAfter;
            faults.crashBefore = kept.crashBefore;
            faults.unavailable = kept.unavailable;
        }
    }

    private @Nullable RelayEndpoint endpoint() {
        return ownRelay.isEmpty()
                ? null
                : new RelayEndpoint() {
                    @Override
                    public Channel accept(FrameSink toClient, String remote) {
                        throw new UnsupportedOperationException();
                    }

                    @Override
                    public Set<URI> urls() {
                        return Set.of(URI.create(ownRelay));
                    }

                    @Override
                    public String information() {
                        return "{}";
                    }

                    @Override
                    public int maxFrameBytes() {
                        return 131_072;
                    }
                };
    }

    private final class Gate implements EgressControl {
        @Override
        public void allow(Scope scope, URI address) {
            allowed.add(address.toString());
            named.computeIfAbsent(scope, unused -> new TreeSet<>()).add(address.toString());
        }

        @Override
        public void withdraw(Scope scope, URI address) {
            allowed.remove(address.toString());
            named.getOrDefault(scope, new TreeSet<>()).remove(address.toString());
        }

        @Override
        public void forget(Scope scope) {
            named.remove(scope);
        }

        @Override
        public List<Entry> log(int limit) {
            return List.of();
        }
    }

    /** The interface as a user has it. */
    Conversations chats() {
        return messenger;
    }

    Messenger api() {
        return messenger;
    }
}
