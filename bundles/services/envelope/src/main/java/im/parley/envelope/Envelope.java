package im.parley.envelope;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.Signer;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/** Wraps rumors and opens wraps (NIP-59). Thread-safe; completes on the signer's thread or the caller's. */
@ProviderType
public interface Envelope {
    /** Largest wrap content accepted, in characters. */
    int MAX_CONTENT_CHARS = 256 * 1024;

    /**
     * Seals the rumor as its author and wraps the seal under a one-time key.
     *
     * @param author signer of {@code rumor.pubkey()}, opened for {@code SEAL}
     * @param ephemeral kind 21059 instead of 1059
     * @param expiration seconds since the epoch; null for never
     * @return the wrap, ready to publish; fails with {@code ProviderException}, {@code crypto.*} or {@code dm.too-large}
     */
    CompletionStage<Event> wrap(Signer author, Rumor rumor, PublicKey to, boolean ephemeral, @Nullable Long expiration);

    /**
     * Opens a wrap addressed to the signer's identity, checking wrap and seal signature, seal author == rumor author and
     * the rumor's id.
     *
     * @param wrap its id and signature are checked here again
     * @return fails with {@code ProviderException} {@code REJECTED} and one of {@code dm.seal-bad-sig}, {@code
     *     dm.sender-mismatch}, {@code dm.bad-seal}, {@code dm.signed-rumor}, {@code dm.bad-rumor-id}, {@code
     *     dm.not-for-me}, {@code dm.too-large}, {@code dm.bad-wrap}, {@code crypto.*}
     */
    CompletionStage<Opened> unwrap(Signer recipient, Event wrap);

    /**
     * @param rumor authentic
     * @param sender author of the verified seal, equal to {@code rumor.pubkey()}
     */
    record Opened(Rumor rumor, PublicKey sender) {}
}
