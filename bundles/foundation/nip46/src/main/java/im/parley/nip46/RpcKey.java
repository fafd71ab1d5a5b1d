package im.parley.nip46;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import im.parley.protocol.EventHash;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;

/**
 * The key of one end of one connection, which is no user's: seals texts for the other end and opens what came from there.
 * Thread-safe; wiped when it is closed, after which it refuses.
 */
public final class RpcKey implements AutoCloseable {
    private static final int AUXILIARY = 32;

    private final byte[] secretKey;
    private final PublicKey publicKey;
    private final Slot<Secp256k1> curve;
    private final InstantSource clock;
    private final SecureRandom random;

    /** @param secretKey 32 bytes, copied */
    public RpcKey(byte[] secretKey, Slot<Secp256k1> curve, InstantSource clock, SecureRandom random)
            throws ProviderException {
        this.curve = curve;
        this.clock = clock;
        this.random = random;
        this.secretKey = secretKey.clone();
        try (Lease<Secp256k1> lease = curve.acquire()) {
            publicKey = PublicKey.of(lease.get().publicKey(secretKey));
        }
    }

    public PublicKey publicKey() {
        return publicKey;
    }

    /** An event of kind {@value Rpc#KIND} for that key. */
    public Event seal(PublicKey to, String text) throws ProviderException {
        byte[] conversation = conversation(to);
        try {
            String content = Nip44.encrypt(conversation, fresh(Nip44.NONCE), text);
            long now = clock.instant().getEpochSecond();
            List<List<String>> tags = List.of(List.of("p", to.hex()));
            EventId id = EventHash.id(publicKey, now, Rpc.KIND, tags, content);
            byte[] signature;
            byte[] key = copy();
            try (Lease<Secp256k1> lease = curve.acquire()) {
                signature = lease.get().sign(id.bytes(), key, fresh(AUXILIARY));
            } finally {
                Arrays.fill(key, (byte) 0);
            }
            return new Event(id, publicKey, now, Rpc.KIND, tags, content, Signature.of(signature));
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
        } catch (ProtocolException e) {
            throw new ProviderException(Kind.REJECTED, "event." + e.token(), "This cannot be sent to a signer.");
        } finally {
            Arrays.fill(conversation, (byte) 0);
        }
    }

    /** @throws ProviderException {@code REJECTED crypto.*} if it is not from its author, or not for this key */
    public String open(Event event) throws ProviderException {
        byte[] conversation = conversation(event.pubkey());
        try {
            return Nip44.decrypt(conversation, event.content());
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
        } finally {
            Arrays.fill(conversation, (byte) 0);
        }
    }

    private byte[] conversation(PublicKey peer) throws ProviderException {
        byte[] key = copy();
        byte[] shared;
        try (Lease<Secp256k1> lease = curve.acquire()) {
            shared = lease.get().ecdhX(key, peer.bytes());
        } finally {
            Arrays.fill(key, (byte) 0);
        }
        try {
            return Nip44.conversationKey(shared);
        } finally {
            Arrays.fill(shared, (byte) 0);
        }
    }

    private synchronized byte[] copy() {
        return secretKey.clone();
    }

    private byte[] fresh(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    @Override
    public synchronized void close() {
        Arrays.fill(secretKey, (byte) 0);
    }

    @Override
    public String toString() {
        return "RpcKey[" + publicKey + "]";
    }
}
