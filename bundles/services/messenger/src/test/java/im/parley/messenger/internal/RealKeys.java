package im.parley.messenger.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.KeyExport;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import im.parley.protocol.EventHash;
import im.parley.protocol.ProtocolException;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Identities with real keys, in memory. */
class RealKeys implements IdentityProvider, KeyExport {
    private final Secp256k1 curve;
    private final SecureRandom random;
    private final Map<PublicKey, byte[]> secrets = new ConcurrentHashMap<>();
    final Map<PublicKey, String> passphrases = new ConcurrentHashMap<>();

    RealKeys(Secp256k1 curve, SecureRandom random) {
        this.curve = curve;
        this.random = random;
    }

    @Override
    public List<PublicKey> list() {
        return List.copyOf(secrets.keySet());
    }

    @Override
    public PublicKey create(char @Nullable [] passphrase) throws ProviderException {
        return importKey(bytes(), passphrase);
    }

    @Override
    public PublicKey identify(byte[] secretKey) throws ProviderException {
        return PublicKey.of(curve.publicKey(secretKey));
    }

    @Override
    public PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) throws ProviderException {
        PublicKey key = identify(secretKey);
        secrets.put(key, secretKey.clone());
        if (passphrase != null) {
            passphrases.put(key, new String(passphrase));
        }
        return key;
    }

    @Override
    public boolean forget(PublicKey identity) {
        secrets.remove(identity);
        return true;
    }

    /** Not sealed: tests of the messenger see that it hands on what it gets. */
    @Override
    public String exportKey(PublicKey identity, char[] password) {
        return identity.hex() + " under " + new String(password);
    }

    @Override
    public boolean locked(PublicKey identity) {
        return false;
    }

    @Override
    public void unlock(PublicKey identity, char[] passphrase) {}

    @Override
    public Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException {
        byte[] secret = secrets.get(identity);
        if (secret == null) {
            throw new ProviderException(Kind.REJECTED, "identity.unknown", "There is no such key.");
        }
        return new Signer() {
            @Override
            public PublicKey publicKey() {
                return identity;
            }

            @Override
            public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
                return stage(() -> {
                    if (!purposes.contains(purpose) || !purpose.covers(template.kind())) {
                        throw new ProviderException(Kind.REJECTED, "sign.kind-denied", "Not this kind.");
                    }
                    EventId id = EventHash.id(
                            identity, template.createdAt(), template.kind(), template.tags(), template.content());
                    return new Event(
                            id,
                            identity,
                            template.createdAt(),
                            template.kind(),
                            template.tags(),
                            template.content(),
                            Signature.of(curve.sign(id.bytes(), secret, bytes())));
                });
            }

            @Override
            public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
                return stage(() -> Nip44.encrypt(key(peer), bytes(), plaintext));
            }

            @Override
            public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
                return stage(() -> Nip44.decrypt(key(peer), payload));
            }

            private byte[] key(PublicKey peer) throws ProviderException {
                return Nip44.conversationKey(curve.ecdhX(secret, peer.bytes()));
            }
        };
    }

    private interface Operation<T> {
        T run() throws ProviderException, CipherException, ProtocolException;
    }

    private static <T> CompletionStage<T> stage(Operation<T> operation) {
        try {
            return CompletableFuture.completedFuture(operation.run());
        } catch (CipherException e) {
            return CompletableFuture.failedFuture(new ProviderException(Kind.REJECTED, e.code(), e.getMessage()));
        } catch (ProviderException | ProtocolException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private byte[] bytes() {
        byte[] bytes = new byte[32];
        random.nextBytes(bytes);
        return bytes;
    }
}
