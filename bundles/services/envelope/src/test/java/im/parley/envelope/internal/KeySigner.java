package im.parley.envelope.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A signer over a key in memory that signs whatever it is given, so that tests can forge. */
final class KeySigner implements Signer {
    private final Secp256k1 curve;
    private final SecureRandom random;
    private final byte[] secret;
    private final PublicKey publicKey;

    KeySigner(Secp256k1 curve, SecureRandom random, byte[] secret) throws ProviderException {
        this.curve = curve;
        this.random = random;
        this.secret = secret.clone();
        publicKey = PublicKey.of(curve.publicKey(secret));
    }

    static KeySigner fresh(Secp256k1 curve, SecureRandom random) throws ProviderException {
        byte[] secret = new byte[32];
        random.nextBytes(secret);
        return new KeySigner(curve, random, secret);
    }

    @Override
    public PublicKey publicKey() {
        return publicKey;
    }

    @Override
    public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
        try {
            return CompletableFuture.completedFuture(
                    event(template.createdAt(), template.kind(), template.tags(), template.content()));
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    Event event(long createdAt, int kind, List<List<String>> tags, String content) throws ProviderException {
        try {
            EventId id = EventHash.id(publicKey, createdAt, kind, tags, content);
            byte[] signature = curve.sign(id.bytes(), secret, bytes());
            return new Event(id, publicKey, createdAt, kind, tags, content, Signature.of(signature));
        } catch (ProtocolException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
        try {
            return CompletableFuture.completedFuture(encrypt(peer, plaintext));
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    String encrypt(PublicKey peer, String plaintext) throws ProviderException {
        try {
            return Nip44.encrypt(key(peer), bytes(), plaintext);
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
        }
    }

    @Override
    public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
        try {
            return CompletableFuture.completedFuture(decrypt(peer, payload));
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    String decrypt(PublicKey peer, String payload) throws ProviderException {
        try {
            return Nip44.decrypt(key(peer), payload);
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
        }
    }

    private byte[] key(PublicKey peer) throws ProviderException {
        return Nip44.conversationKey(curve.ecdhX(secret, peer.bytes()));
    }

    private byte[] bytes() {
        byte[] bytes = new byte[32];
        random.nextBytes(bytes);
        return bytes;
    }
}
