package im.parley.launcher;

import java.nio.file.Path;
import java.time.InstantSource;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether a plugin may run on this node, by what its user trusts. Thread-safe.
 *
 * <p>No plugin takes a name of the distribution, but for a newer version of one of its providers, signed by somebody who
 * may use that name.
 */
final class PluginGate {
    private final TrustStore trust;
    private final InstantSource clock;

    PluginGate(TrustStore trust, InstantSource clock) {
        this.trust = trust;
        this.clock = clock;
    }

    /**
     * Checks a plugin that comes in. Each file is read once, and what is answered is what was checked.
     *
     * @param signature file; null for the name of the jar with {@code .sig} behind it
     * @param now what is installed
     * @throws LauncherException as {@link TrustStore#admit}
     */
    TrustStore.Admitted admit(Path jar, @Nullable Path signature, Generation now) throws LauncherException {
        TrustStore.Situation situation = new TrustStore.Situation(clock.instant(), ownNames(now), installed(now));
        return signature == null ? trust.admit(jar, situation) : trust.admit(jar, signature, situation);
    }

    /**
     * Checks a plugin that was accepted before: that its signature ran out since is no reason, what was revoked is.
     *
     * @param jar whose hash was just checked
     * @param signature as it was kept beside it
     * @throws LauncherException as {@link TrustStore#recheck}
     */
    TrustStore.Admitted keep(byte[] jar, byte[] signature, Generation now) throws LauncherException {
        PluginArchive archive = PluginArchive.of(jar);
        Publisher publisher = trust.recheck(
                new TrustStore.Installed(archive.bsn(), archive.version(), archive.sha256()), ownNames(now));
        return new TrustStore.Admitted(archive, PluginSignature.parse(signature), publisher);
    }

    /** Before a stack generation names it. */
    void accept(TrustStore.Admitted plugin) throws LauncherException {
        trust.accept(plugin, clock.instant());
    }

    /** One that was accepted and then did not run after all. */
    void forget(String sha256) throws LauncherException {
        trust.forget(sha256);
    }

    private static Set<String> ownNames(Generation now) {
        Set<String> names = new HashSet<>();
        for (Generation.BundleEntry bundle : now.bundles()) {
            if (!now.isReplaceable(bundle.bsn())) {
                names.add(bundle.bsn());
            }
        }
        return names;
    }

    private static List<TrustStore.Installed> installed(Generation now) {
        return now.plugins().stream()
                .map(plugin -> new TrustStore.Installed(plugin.bsn(), plugin.version(), plugin.sha256()))
                .toList();
    }
}
