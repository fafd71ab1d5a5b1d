package im.parley.vault;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Secrets in a form that the vault of another node can take over, for backups. Thread-safe; blocks on disk. Works while
 * the session is locked. Whoever gets a portable secret seals it at once: one without a passphrase is the value itself.
 */
@ProviderType
public interface SecretArchive {
    /** Names of the secrets of that provider instance. */
    List<String> names(String instance) throws ProviderException;

    /**
     * One secret. What is under a passphrase stays under it, and the passphrase is not needed.
     *
     * <pre>
     * u8 0, value                                                          without a passphrase
     * u8 1, key[32], salt[16], memory KiB u32, passes u8, lanes u8,        with one
     *       nonce[24] seal(HKDF-Extract(Argon2id(passphrase), key), value;
     *                      aad = "PVS1" 01 'v' u16 length, instance, u16 length, name)
     * </pre>
     *
     * @return bytes for {@link #put}; the caller overwrites them
     * @throws ProviderException {@code REJECTED secret.missing}, {@code CORRUPT vault.tampered}
     */
    byte[] take(String instance, String name) throws ProviderException;

    /**
     * Creates or replaces a secret by what {@link #take} gave, on this node or another one. Instance and name must be the
     * same, or its passphrase does not open it.
     *
     * @throws ProviderException {@code REJECTED secret.not-portable} if that is no portable secret
     */
    void put(String instance, String name, byte[] portable) throws ProviderException;
}
