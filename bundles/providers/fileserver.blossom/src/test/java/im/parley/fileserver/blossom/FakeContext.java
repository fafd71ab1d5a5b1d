package im.parley.fileserver.blossom;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.protocol.EventHash;
import im.parley.testkit.Seeds;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;

/** An egress that knows only ports of this machine which a test has named, and a signer that signs with nothing. */
final class FakeContext implements ProviderContext, Signer {
    final Set<Integer> named = ConcurrentHashMap.newKeySet();
    final List<String> connected = new CopyOnWriteArrayList<>();
    final List<EventTemplate> signed = new CopyOnWriteArrayList<>();
    private final SecureRandom random = Seeds.secureRandom("blossom");

    @Override
    public String instance() {
        return "im.parley.fileserver.blossom~test";
    }

    @Override
    public InstantSource clock() {
        return () -> java.time.Instant.ofEpochSecond(1_800_000_000L);
    }

    @Override
    public SecureRandom random() {
        return random;
    }

    @Override
    public Secrets secrets() {
        throw new AssertionError("it has no secrets");
    }

    @Override
    public Egress egress(Scope scope) {
        return (host, port, reason, timeout) -> {
            connected.add(host + ":" + port + " " + reason);
            if (!named.contains(port)) {
                throw new ProviderException(Kind.REJECTED, "egress.private", "Nobody named it.");
            }
            try {
                return SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            } catch (IOException e) {
                throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "Refused.", e);
            }
        };
    }

    @Override
    public Path dataDir() {
        throw new AssertionError("it keeps nothing");
    }

    @Override
    public Executor executor() {
        return Runnable::run;
    }

    @Override
    public PublicKey publicKey() {
        return PublicKey.ofHex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    }

    @Override
    public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
        if (purpose != Purpose.FILE_AUTH || !purpose.covers(template.kind())) {
            return CompletableFuture.failedFuture(
                    new ProviderException(Kind.REJECTED, "sign.kind-denied", "Not for that."));
        }
        signed.add(template);
        try {
            EventId id = EventHash.id(
                    publicKey(), template.createdAt(), template.kind(), template.tags(), template.content());
            return CompletableFuture.completedFuture(new Event(
                    id,
                    publicKey(),
                    template.createdAt(),
                    template.kind(),
                    template.tags(),
                    template.content(),
                    Signature.of(new byte[64])));
        } catch (Exception e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
        throw new AssertionError("it encrypts nothing");
    }

    @Override
    public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
        throw new AssertionError("it decrypts nothing");
    }
}
