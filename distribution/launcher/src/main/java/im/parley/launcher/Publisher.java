package im.parley.launcher;

import java.util.List;

/**
 * Somebody whose plugins may be installed, as this machine's user decided.
 *
 * @param name how she calls them; up to 64 letters, digits, dots, dashes
 * @param key Ed25519, 32 bytes as lower-case hex
 * @param prefixes what their plugins' symbolic names may begin with, sorted: {@code com.acme} stands for itself and for
 *     {@code com.acme.x}, not for {@code com.acmeevil}
 */
public record Publisher(String name, String key, List<String> prefixes) {
    public Publisher {
        prefixes = List.copyOf(prefixes);
    }

    /** Whether a plugin of that symbolic name may be theirs. */
    public boolean mayName(String bsn) {
        return prefixes.stream().anyMatch(prefix -> ManifestRules.within(bsn, prefix));
    }
}
