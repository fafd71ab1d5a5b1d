package im.parley.api.lifecycle;

import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Everything a provider is handed; nothing else is looked up. Thread-safe; valid until the opened object is closed.
 */
@ProviderType
public interface ProviderContext {
    /** The instance this context was made for, {@code PID~name}. */
    String instance();

    /** The only clock a provider reads. */
    InstantSource clock();

    /** The only randomness a provider uses; cryptographically strong, thread-safe. */
    SecureRandom random();

    /** Secrets of this instance alone, kept by the vault. */
    Secrets secrets();

    /** The only way out to the network, for one scope. */
    Egress egress(Scope scope);

    /**
     * Relays, for one scope. The calls of the result fail with {@code UNAVAILABLE relays.absent} where the host has none.
     *
     * @param lane 1 to 64 characters; what goes by different lanes shares no connection, so that no relay can link it
     */
    default RelayAccess relays(Scope scope, String lane) {
        return AbsentRelays.INSTANCE;
    }

    /** A directory of this instance alone, mode 0700; it exists. Nothing in it may be plaintext of a user. */
    Path dataDir();

    /** Bounded pool of platform threads, owned by the host, for work that blocks on disk or computes for long. */
    Executor executor();
}
