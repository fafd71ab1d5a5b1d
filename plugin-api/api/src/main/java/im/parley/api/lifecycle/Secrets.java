package im.parley.api.lifecycle;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Named secrets of one provider instance, sealed by the vault under a key of this node. Implementations are thread-safe
 * and block on disk in {@code write} and {@code delete} (durable when they return). The caller overwrites the arrays it
 * handed in or received when it is done with them.
 */
@ProviderType
public interface Secrets {
    /** Largest value in bytes. */
    int MAX_BYTES = 65_536;

    /** Names in use, in no particular order; never null. Readable while the session is locked. */
    List<String> names() throws ProviderException;

    /** True if the value needs a passphrase that has not been given since the last lock. */
    boolean locked(String name) throws ProviderException;

    /**
     * A fresh copy of the value.
     *
     * @throws ProviderException {@code REJECTED secret.missing}; {@code AUTHENTICATION vault.locked} if it has a
     *     passphrase that was not given; {@code CORRUPT vault.tampered}
     */
    byte[] read(String name) throws ProviderException;

    /**
     * Creates or replaces a value.
     *
     * @param name 1 to 128 characters of {@code a-z 0-9 . - _}
     * @param value at most {@value #MAX_BYTES} bytes; copied
     * @param passphrase if not null, the value is additionally under this passphrase and {@code read} works only between
     *     {@link #unlock} and the next lock; copied
     */
    void write(String name, byte[] value, char @Nullable [] passphrase) throws ProviderException;

    /**
     * Gives the passphrase of one value for this session. Costs about a quarter of a second of Argon2id.
     *
     * @throws ProviderException {@code AUTHENTICATION vault.wrong-passphrase}
     */
    void unlock(String name, char[] passphrase) throws ProviderException;

    /** Removes a value; absent is fine. */
    void delete(String name) throws ProviderException;

    /**
     * Registers a callback for the moment the session is locked: drop everything derived from passphrase-protected
     * values. Runs on the locking thread; must be quick. Close the returned handle to unregister.
     */
    AutoCloseable onLock(Runnable callback);
}
