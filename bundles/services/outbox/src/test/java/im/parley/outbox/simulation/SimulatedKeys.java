package im.parley.outbox.simulation;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.EventHash;
import im.parley.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Identities without mathematics, for runs of which there shall be many. Outlives its node, as a vault does. */
public final class SimulatedKeys implements IdentityProvider {
    private final RandomGenerator random;
    private final List<PublicKey> keys = new ArrayList<>();
    private final Set<PublicKey> locked = new HashSet<>();

    public SimulatedKeys(RandomGenerator random) {
        this.random = random;
    }

    public void lock(PublicKey key) {
        locked.add(key);
    }

    @Override
    public List<PublicKey> list() {
        return List.copyOf(keys);
    }

    @Override
    public PublicKey create(char @Nullable [] passphrase) {
        byte[] bytes = new byte[32];
        random.nextBytes(bytes);
        PublicKey key = PublicKey.of(bytes);
        keys.add(key);
        return key;
    }

    @Override
    public PublicKey identify(byte[] secretKey) {
        throw new UnsupportedOperationException();
    }

    @Override
    public PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean forget(PublicKey identity) {
        keys.remove(identity);
        return true;
    }

    @Override
    public boolean locked(PublicKey identity) {
        return locked.contains(identity);
    }

    @Override
    public void unlock(PublicKey identity, char[] passphrase) {
        locked.remove(identity);
    }

    @Override
    public Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException {
        if (!keys.contains(identity)) {
            throw new ProviderException(Kind.REJECTED, "identity.unknown", "There is no such key.");
        }
        return new Signer() {
            @Override
            public PublicKey publicKey() {
                return identity;
            }

            @Override
            public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
                if (!purposes.contains(purpose) || !purpose.covers(template.kind())) {
                    return CompletableFuture.failedFuture(
                            new ProviderException(Kind.REJECTED, "sign.kind-denied", "Not this kind."));
                }
                return unlocked(() -> signed(identity, template));
            }

            @Override
            public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
                return unlocked(() -> plaintext);
            }

            @Override
            public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
                return unlocked(() -> payload);
            }

            private <T> CompletionStage<T> unlocked(java.util.function.Supplier<T> result) {
                return locked.contains(identity)
                        ? CompletableFuture.failedFuture(
                                new ProviderException(Kind.AUTHENTICATION, "vault.locked", "The key is locked."))
                        : CompletableFuture.completedFuture(result.get());
            }
        };
    }

    static Event signed(PublicKey author, EventTemplate template) {
        try {
            return new Event(
                    EventHash.id(author, template.createdAt(), template.kind(), template.tags(), template.content()),
                    author,
                    template.createdAt(),
                    template.kind(),
                    template.tags(),
                    template.content(),
                    Signature.of(new byte[64]));
        } catch (ProtocolException e) {
            throw new AssertionError(e);
        }
    }
}
