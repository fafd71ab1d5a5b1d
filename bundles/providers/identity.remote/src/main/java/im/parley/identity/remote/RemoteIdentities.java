package im.parley.identity.remote;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.nip46.BunkerUrl;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.slot.Slot;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Identities at remote signers. Each connection has a key of its own, kept in the vault; it is opened when it is first used
 * after a start. Thread-safe.
 */
final class RemoteIdentities implements IdentityProvider, RemoteKeys, AutoCloseable {
    /** Names of the secrets: this and the user's public key in hex. */
    static final String PREFIX = "remote.";

    private static final Logger LOG = LoggerFactory.getLogger(RemoteIdentities.class);
    private static final int KEY = 32;
    /** For what a signer need not know, or need not be there for. */
    private static final Duration SHORTLY = Duration.ofSeconds(5);

    private final ProviderContext context;
    private final Secrets secrets;
    private final Slot<Secp256k1> curve;
    private final ScheduledThreadPoolExecutor timer;
    private final Map<PublicKey, Open> sessions = new ConcurrentHashMap<>();
    private final Set<Open> connecting = ConcurrentHashMap.newKeySet();
    private final Map<String, LongAdder> drops = new ConcurrentHashMap<>();
    private volatile boolean closed;

    private record Open(KeptSession kept, SignerSession session) {}

    RemoteIdentities(ProviderContext context, Slot<Secp256k1> curve) {
        this.context = context;
        this.secrets = context.secrets();
        this.curve = curve;
        timer = new ScheduledThreadPoolExecutor(1, work -> {
            Thread thread = new Thread(null, work, context.instance() + "-timer", 0, false);
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
    }

    @Override
    public List<PublicKey> list() throws ProviderException {
        checkOpen();
        List<PublicKey> identities = new ArrayList<>();
        for (String name : secrets.names()) {
            if (name.startsWith(PREFIX)) {
                identities.add(PublicKey.ofHex(name.substring(PREFIX.length())));
            }
        }
        return List.copyOf(identities);
    }

    @Override
    public List<URI> relays(char[] url) throws ProviderException {
        return read(url).relays();
    }

    private static BunkerUrl read(char[] url) throws ProviderException {
        try {
            return BunkerUrl.read(new String(url));
        } catch (ProtocolException e) {
            throw new ProviderException(
                    Kind.REJECTED, "nip46.bad-url", "This is no bunker URL: " + e.getMessage() + ".");
        }
    }

    @Override
    public PublicKey connect(Scope scope, char[] url) throws ProviderException {
        checkOpen();
        BunkerUrl bunker = read(url);
        byte[] clientKey = new byte[KEY];
        context.random().nextBytes(clientKey);
        Open opened = open(new KeptSession(scope, clientKey, bunker.signer(), bunker.relays(), bunker.relays()));
        connecting.add(opened);
        try {
            SignerSession session = opened.session();
            String result = answer(
                    session.ask("connect", List.of(bunker.signer().hex(), bunker.secret()), SignerSession.PATIENCE));
            boolean echoed = !bunker.secret().isEmpty() && result.equals(bunker.secret());
            if (!result.equals("ack") && !echoed) {
                throw RemoteSigner.mismatch();
            }
            switchRelays(session);
            PublicKey identity;
            try {
                identity = PublicKey.ofHex(answer(session.ask("get_public_key", List.of(), SignerSession.PATIENCE)));
            } catch (IllegalArgumentException e) {
                throw RemoteSigner.mismatch();
            }
            KeptSession kept = new KeptSession(scope, clientKey, bunker.signer(), bunker.relays(), session.relays());
            byte[] value = kept.write();
            try {
                secrets.write(name(identity), value, null);
            } finally {
                Arrays.fill(value, (byte) 0);
            }
            Open before = sessions.put(identity, new Open(kept, session));
            if (before != null) {
                before.session().close();
            }
            return identity;
        } catch (ProviderException | RuntimeException e) {
            opened.session().close();
            throw e;
        } finally {
            connecting.remove(opened);
            Arrays.fill(clientKey, (byte) 0);
        }
    }

    /** A signer that knows better relays says so; one that does not know the question stays where it is. */
    private void switchRelays(SignerSession session) {
        try {
            Set<URI> next = new LinkedHashSet<>();
            for (String relay : Rpc.readTexts(answer(session.ask("switch_relays", List.of(), SHORTLY)))) {
                next.add(RelayUrls.normalise(relay));
            }
            if (!next.isEmpty() && next.size() <= BunkerUrl.MAX_RELAYS) {
                session.switchTo(List.copyOf(next));
            }
        } catch (ProviderException | ProtocolException e) {
            LOG.debug("a remote signer does not move to other relays");
        }
    }

    @Override
    public List<Session> sessions() throws ProviderException {
        List<Session> shown = new ArrayList<>();
        for (Open each : connecting) {
            shown.add(shown(null, each.kept(), each.session()));
        }
        for (PublicKey identity : list()) {
            Open opened = sessions.get(identity);
            shown.add(
                    opened == null
                            ? shown(identity, kept(identity), null)
                            : shown(identity, opened.kept(), opened.session()));
        }
        return shown;
    }

    private static Session shown(@Nullable PublicKey identity, KeptSession kept, @Nullable SignerSession session) {
        return new Session(
                kept.scope(),
                identity,
                kept.signer(),
                session == null ? kept.relays() : session.relays(),
                kept.named(),
                session == null ? "" : session.approval());
    }

    @Override
    public void disconnect(PublicKey identity) throws ProviderException {
        if (!secrets.names().contains(name(identity))) {
            return;
        }
        try {
            answer(session(identity).ask("logout", List.of(), SHORTLY));
        } catch (ProviderException e) {
            LOG.debug("a remote signer was not told that it is no longer used");
        }
        secrets.delete(name(identity));
        Open opened = sessions.remove(identity);
        if (opened != null) {
            opened.session().close();
        }
    }

    @Override
    public Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException {
        return new RemoteSigner(session(identity), curve, identity, purposes);
    }

    private synchronized SignerSession session(PublicKey identity) throws ProviderException {
        checkOpen();
        Open known = sessions.get(identity);
        if (known == null) {
            KeptSession kept = kept(identity);
            known = open(kept);
            Arrays.fill(kept.clientKey(), (byte) 0);
            sessions.put(identity, known);
        }
        return known.session();
    }

    private KeptSession kept(PublicKey identity) throws ProviderException {
        if (!secrets.names().contains(name(identity))) {
            throw new ProviderException(
                    Kind.REJECTED, "identity.unknown", "No remote signer has the key of " + identity + ".");
        }
        byte[] value = secrets.read(name(identity));
        try {
            return KeptSession.read(value);
        } finally {
            Arrays.fill(value, (byte) 0);
        }
    }

    private Open open(KeptSession kept) throws ProviderException {
        RpcKey key = new RpcKey(kept.clientKey(), curve, context.clock(), context.random());
        return new Open(kept, new SignerSession(context, kept, key, timer, this::dropped));
    }

    private void dropped(String code) {
        drops.computeIfAbsent(code, unused -> new LongAdder()).increment();
        LOG.debug("an event at the relays of a remote signer was ignored: {}", code);
    }

    /** For tests: what was ignored, code to count. */
    Map<String, Long> drops() {
        Map<String, Long> copy = new TreeMap<>();
        drops.forEach((code, count) -> copy.put(code, count.sum()));
        return copy;
    }

    private static String answer(CompletionStage<String> stage) throws ProviderException {
        try {
            return stage.toCompletableFuture().get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ProviderException(Kind.UNAVAILABLE, "nip46.interrupted", "The wait for the signer was ended.");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ProviderException expected) {
                throw expected;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    @Override
    public PublicKey create(char @Nullable [] passphrase) throws ProviderException {
        throw elsewhere();
    }

    @Override
    public PublicKey identify(byte[] secretKey) throws ProviderException {
        throw elsewhere();
    }

    @Override
    public PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) throws ProviderException {
        throw elsewhere();
    }

    private static ProviderException elsewhere() {
        return new ProviderException(
                Kind.UNSUPPORTED, "identity.remote", "Remote signers keep their own keys; connect to one instead.");
    }

    /** A signer may ask its user, but that shows when it is asked. */
    @Override
    public boolean locked(PublicKey identity) throws ProviderException {
        return false;
    }

    @Override
    public void unlock(PublicKey identity, char[] passphrase) throws ProviderException {
        throw new ProviderException(
                Kind.UNSUPPORTED, "identity.remote", "The key of this identity is at its signer; unlock it there.");
    }

    private void checkOpen() throws ProviderException {
        if (closed) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "identity.closed", "This identity provider was closed. Open a signer anew.");
        }
    }

    private static String name(PublicKey identity) {
        return PREFIX + identity.hex();
    }

    @Override
    public void close() {
        closed = true;
        sessions.values().forEach(each -> each.session().close());
        connecting.forEach(each -> each.session().close());
        timer.shutdownNow();
    }

    @Override
    public String toString() {
        return "RemoteIdentities";
    }
}
