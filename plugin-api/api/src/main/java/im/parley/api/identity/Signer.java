package im.parley.api.identity;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Acts with one identity's key. Asynchronous, because a remote signer may ask a human; a local one completes at once.
 * Thread-safe. No operation returns a key.
 *
 * <p>A stage fails with {@code ProviderException}: {@code AUTHENTICATION vault.locked} while the key is locked, {@code
 * REJECTED sign.kind-denied}, {@code UNAVAILABLE} or {@code TIMEOUT} for a remote signer. Valid until its provider is
 * closed.
 */
@ConsumerType
public interface Signer {
    /** Whose signatures these are. */
    PublicKey publicKey();

    /**
     * Signs the template as this identity.
     *
     * <p>Refuses with {@code REJECTED sign.kind-denied} a kind that the purpose does not cover, and a purpose this signer
     * was not opened for.
     */
    CompletionStage<Event> sign(EventTemplate template, Purpose purpose);

    /**
     * NIP-44 version 2 encryption to a peer.
     *
     * @param plaintext 1 byte or more of UTF-8, without lone surrogates
     * @return the base64 payload; fails with {@code REJECTED crypto.bad-pubkey} if the peer's key is not on the curve
     */
    CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext);

    /** NIP-44 version 2 decryption; fails with {@code REJECTED crypto.*} if the payload is not authentic. */
    CompletionStage<String> nip44Decrypt(PublicKey peer, String payload);
}
