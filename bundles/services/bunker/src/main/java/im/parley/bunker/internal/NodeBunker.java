package im.parley.bunker.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.storage.SpaceId;
import im.parley.bunker.Bunker;
import im.parley.identities.Identities;
import im.parley.nip46.BunkerUrl;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.outbox.LeasedSigner;
import im.parley.relayclient.LiveEvents;
import im.parley.relayclient.Persona;
import im.parley.relayclient.RelayClient;
import im.parley.slot.Slot;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpaces;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.text.Normalizer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The {@link Bunker} of this node: one default circle, a desk per client. */
@Component(name = "im.parley.bunker", service = Bunker.class, immediate = true)
public final class NodeBunker implements Bunker, Desk.Office {
    private static final Logger LOG = LoggerFactory.getLogger(NodeBunker.class);
    private static final int TABLE = 1;
    private static final String CLIENTS = "clients";
    private static final int KEY = 32;
    private static final int SECRET = 16;
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration PUBLISHING = Duration.ofSeconds(30);

    private final Scope scope = Scope.DEFAULT;
    private final SealedSpace space;
    private final Slot<IdentityProvider> identity;
    private final Slot<Secp256k1> curve;
    private final RelayClient relays;
    private final LiveEvents live;
    private final InstantSource clock;
    private final SecureRandom random;
    private final ScheduledThreadPoolExecutor loop;
    private final Map<String, LongAdder> drops = new ConcurrentHashMap<>();
    /** By name; guarded by this. */
    private final Map<String, Served> desks = new TreeMap<>();

    private boolean loaded;

    private record Served(long number, Desk desk, List<RelayClient.Subscription> subscriptions) {
        void close() {
            subscriptions.forEach(RelayClient.Subscription::close);
            desk.close();
        }
    }

    @Activate
    public NodeBunker(
            @Reference SealedSpaces spaces,
            @Reference(service = Identities.class) Slot<IdentityProvider> identity,
            @Reference(target = "(parley.slot=curve)") Slot<Secp256k1> curve,
            @Reference RelayClient relays,
            @Reference LiveEvents live,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        this.space = spaces.open(new SpaceId("bunker:" + scope.circle()));
        this.identity = identity;
        this.curve = curve;
        this.relays = relays;
        this.live = live;
        this.clock = clock;
        this.random = random;
        loop = new ScheduledThreadPoolExecutor(1, work -> {
            Thread thread = new Thread(work, "parley-bunker");
            thread.setDaemon(true);
            return thread;
        });
        loop.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        loop.execute(this::begin);
    }

    @Deactivate
    public void close() {
        loop.shutdownNow();
        synchronized (this) {
            desks.values().forEach(Served::close);
            desks.clear();
        }
    }

    /** Serves those who were connected before this start, as soon as the records are there. */
    private void begin() {
        try {
            load();
        } catch (ProviderException e) {
            loop.schedule(this::begin, RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private synchronized void load() throws ProviderException {
        if (loaded) {
            return;
        }
        Map<Long, Admission> kept = new HashMap<>();
        space.update(tx -> {
            kept.clear();
            for (SealedSpace.Item item : tx.scan(RecordKey.all(TABLE, CLIENTS), false, MAX_CLIENTS)) {
                kept.put(ByteBuffer.wrap(item.order()).getLong(), Admission.read(item.value()));
            }
        });
        for (Map.Entry<Long, Admission> each : kept.entrySet()) {
            serve(each.getKey(), each.getValue());
        }
        loaded = true;
    }

    private void serve(long number, Admission admission) throws ProviderException {
        RpcKey key = new RpcKey(admission.signerKey(), curve, clock, random);
        Desk desk = new Desk(
                this, admission, key, new LeasedSigner(identity, admission.identity(), Purpose.DELEGATED), clock);
        Filter filter = Filter.builder()
                .kinds(List.of(Rpc.KIND))
                .tag('p', List.of(key.publicKey().hex()))
                .limit(0)
                .build();
        List<RelayClient.Subscription> subscriptions = new ArrayList<>();
        for (URI relay : admission.relays()) {
            subscriptions.add(live.listen(persona(number), relay, filter, desk::arrived));
        }
        desks.put(admission.name(), new Served(number, desk, subscriptions));
    }

    /** A connection per client, so that no relay learns which of them belong together. */
    private Persona persona(long number) {
        return Persona.anonymous(scope, "bunker-" + number);
    }

    @Override
    public synchronized String invite(Scope where, PublicKey who, String wanted, Grant grant, List<URI> at)
            throws ProviderException {
        check(where);
        load();
        String name = Normalizer.normalize(wanted, Normalizer.Form.NFC).strip();
        if (name.isEmpty() || name.length() > 64 || name.chars().anyMatch(Character::isISOControl)) {
            throw rejected("bunker.bad-name", "A client's name has 1 to 64 characters and no control characters.");
        }
        if (desks.containsKey(name)) {
            throw rejected("bunker.name-taken", "A client of this name exists. Revoke it, or choose another name.");
        }
        if (desks.size() >= MAX_CLIENTS) {
            throw rejected("bunker.too-many", "There are " + MAX_CLIENTS + " clients. Revoke one first.");
        }
        List<URI> relayList = at.stream().distinct().limit(BunkerUrl.MAX_RELAYS).toList();
        if (relayList.isEmpty()) {
            throw rejected("bunker.no-relay", "The identity has no relay to be asked at. Add one with relay add.");
        }
        byte[] signerKey = fresh(KEY);
        String secret = HexFormat.of().formatHex(fresh(SECRET));
        Admission admission = new Admission(
                name,
                who,
                signerKey,
                null,
                Desk.hash(secret),
                grant,
                relayList,
                clock.instant().getEpochSecond());
        long number = space.transact(tx -> {
            RecordKey counter = RecordKey.of(TABLE, "count");
            byte[] before = tx.get(counter);
            long next = (before == null ? 0 : ByteBuffer.wrap(before).getLong()) + 1;
            tx.put(counter, ByteBuffer.allocate(Long.BYTES).putLong(next).array());
            tx.put(RecordKey.of(TABLE, CLIENTS, next), admission.write());
            return next;
        });
        serve(number, admission);
        Served served = desks.get(name);
        if (served == null) {
            throw new IllegalStateException("it was put there a moment ago");
        }
        return new BunkerUrl(served.desk().shown().signer(), relayList, secret).write();
    }

    @Override
    public synchronized List<Client> clients(Scope where) throws ProviderException {
        check(where);
        load();
        return desks.values().stream().map(served -> served.desk().shown()).toList();
    }

    @Override
    public synchronized void revoke(Scope where, String name) throws ProviderException {
        check(where);
        load();
        Served served =
                desks.get(Normalizer.normalize(name, Normalizer.Form.NFC).strip());
        if (served == null) {
            throw rejected("bunker.unknown", "There is no client of this name. List them to see the names.");
        }
        space.update(tx -> tx.delete(RecordKey.of(TABLE, CLIENTS, served.number())));
        desks.remove(served.desk().admission().name());
        served.close();
    }

    @Override
    public Map<String, Long> drops() {
        Map<String, Long> copy = new TreeMap<>();
        drops.forEach((code, count) -> copy.put(code, count.sum()));
        return copy;
    }

    // What desks ask for.

    @Override
    public synchronized void keep(Admission admission) throws ProviderException {
        Served served = desks.get(admission.name());
        if (served == null) {
            throw rejected("bunker.unknown", "This client was revoked.");
        }
        space.update(tx -> tx.put(RecordKey.of(TABLE, CLIENTS, served.number()), admission.write()));
    }

    @Override
    public void leave(Admission admission) {
        // Behind the answer, which is being published.
        loop.schedule(
                () -> {
                    try {
                        revoke(scope, admission.name());
                    } catch (ProviderException e) {
                        LOG.warn("A client that left is still listed: {}", e.code());
                    }
                },
                1,
                TimeUnit.SECONDS);
    }

    @Override
    public void publish(Admission admission, Event event) {
        long number;
        synchronized (this) {
            Served served = desks.get(admission.name());
            if (served == null) {
                return;
            }
            number = served.number();
        }
        for (URI relay : admission.relays()) {
            relays.publish(persona(number), relay, event, PUBLISHING);
        }
    }

    @Override
    public void dropped(String code) {
        drops.computeIfAbsent(code, unused -> new LongAdder()).increment();
    }

    private byte[] fresh(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private void check(Scope where) throws ProviderException {
        if (!where.equals(scope)) {
            throw rejected("circle.unknown", "There is no circle of this name. The one there is is called default.");
        }
    }

    private static ProviderException rejected(String code, String text) {
        return new ProviderException(Kind.REJECTED, code, text);
    }
}
