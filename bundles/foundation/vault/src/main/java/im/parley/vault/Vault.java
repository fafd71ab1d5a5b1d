package im.parley.vault;

import im.parley.api.lifecycle.ProviderException;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The session lock of this node. Thread-safe; {@code unlock} and {@code setPin} cost about a quarter of a second and
 * overwrite the arrays they are given with zeros. A node with a PIN starts locked. Nothing ever deletes itself.
 *
 * <p>If the vault itself cannot be opened every call fails with the reason, for example {@code UNAVAILABLE
 * vault.no-device-key}, and {@link #state} shows a locked session without a PIN.
 */
@ProviderType
public interface Vault {
    /** Shortest PIN. */
    int MIN_PIN_DIGITS = 4;
    /** Longest PIN. */
    int MAX_PIN_DIGITS = 64;

    /** What the lock is like now. */
    State state();

    /**
     * Sets or changes the PIN.
     *
     * @param current null only if none is set
     * @param next {@value #MIN_PIN_DIGITS} to {@value #MAX_PIN_DIGITS} ASCII digits; null removes the PIN
     * @throws ProviderException {@code AUTHENTICATION pin.wrong}, {@code AUTHENTICATION pin.backoff}, {@code REJECTED
     *     pin.format}
     */
    void setPin(char @Nullable [] current, char @Nullable [] next) throws ProviderException;

    /**
     * Locks the session and wipes keys of passphrase-protected secrets. Without a PIN: {@code REJECTED pin.not-set}.
     */
    void lock() throws ProviderException;

    /**
     * Unlocks the session. Without a PIN: {@code REJECTED pin.not-set}.
     *
     * @throws ProviderException {@code AUTHENTICATION pin.wrong}; after 5 wrong ones {@code AUTHENTICATION pin.backoff}
     *     until a time that doubles with each further one, kept over restarts
     */
    void unlock(char[] pin) throws ProviderException;

    /**
     * @param pinSet whether there is a PIN
     * @param locked whether the session is locked
     * @param failures wrong PINs in a row
     * @param retryAt when the next try is allowed; the epoch if now
     */
    record State(boolean pinSet, boolean locked, int failures, Instant retryAt) {}
}
