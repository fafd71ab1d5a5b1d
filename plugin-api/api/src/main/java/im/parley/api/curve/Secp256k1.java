package im.parley.api.curve;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Operations on secp256k1 as Nostr uses them: BIP-340 signatures, x-only public keys, unhashed ECDH.
 *
 * <p>Called for every event a relay or client sees, from many threads at once: implementations are thread-safe, pure and
 * do not block. They keep no key after a call. Shapes are fixed and big-endian: secret key 32 bytes, x-only public key 32
 * bytes, message 32 bytes (an event id), signature 64 bytes. No argument is modified.
 *
 * <p>Source: BIP-340, NIP-01, NIP-44.
 */
@ConsumerType
public interface Secp256k1 {
    /**
     * Whether the signature is valid for message and key. Never throws: a wrong length, a key that is not on the curve,
     * r &gt;= p or s &gt;= n is simply false.
     */
    boolean verify(byte[] signature, byte[] message, byte[] publicKey);

    /**
     * Whether all signatures are valid; true for an empty list. A provider with real batch verification overrides it.
     */
    default boolean verifyBatch(List<SignedMessage> batch) {
        for (SignedMessage m : batch) {
            if (!verify(m.signature(), m.message(), m.publicKey())) {
                return false;
            }
        }
        return true;
    }

    /**
     * A BIP-340 signature, deterministic in its arguments.
     *
     * @param auxiliary 32 fresh random bytes (BIP-340 "a")
     * @throws ProviderException {@code REJECTED crypto.bad-secret} if the key is 0 or not below the group order, {@code
     *     REJECTED crypto.bad-length} for a wrong length
     */
    byte[] sign(byte[] message, byte[] secretKey, byte[] auxiliary) throws ProviderException;

    /**
     * The x-only public key.
     *
     * @throws ProviderException {@code REJECTED crypto.bad-secret} if the key is 0 or not below the group order, {@code
     *     REJECTED crypto.bad-length} for a wrong length
     */
    byte[] publicKey(byte[] secretKey) throws ProviderException;

    /**
     * The x coordinate of {@code secretKey * lift_x(publicKey)}, 32 bytes, <b>not</b> hashed (NIP-44).
     *
     * @throws ProviderException {@code REJECTED crypto.bad-pubkey} if the key does not lift to the curve, {@code REJECTED
     *     crypto.bad-secret} if the secret is out of range, {@code REJECTED crypto.bad-length} for a wrong length
     */
    byte[] ecdhX(byte[] secretKey, byte[] publicKey) throws ProviderException;
}
