package im.parley.files.http.internal;

import im.parley.api.event.PublicKey;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Checked configuration.
 *
 * @param urls without a slash at the end; at least one
 * @param names hosts of the URLs, lower case, without ports
 * @param everybody whether any key may upload
 * @param totalBytes of all blobs; {@link Long#MAX_VALUE} for no limit of its own
 * @param longestPause of an upload in pieces; then what came of it is removed
 * @param piecesPerKey uploads in pieces that one key may have at once
 * @param scrubDays 0 for never
 */
record FilesSettings(
        List<String> urls,
        Set<String> names,
        boolean everybody,
        Set<PublicKey> allowed,
        long maxBlobBytes,
        long quotaBytes,
        long quotaBlobs,
        long totalBytes,
        long addressBytesPerHour,
        long addressRequestsPerMinute,
        Duration longestToken,
        Duration longestPause,
        int piecesPerKey,
        int scrubDays,
        boolean serverTagRequired) {
    private static final String PID = FilesConfiguration.PID;
    private static final String EVERYBODY = "*";
    private static final int MIB_BITS = 20;

    FilesSettings {
        urls = List.copyOf(urls);
        names = Set.copyOf(names);
        allowed = Set.copyOf(allowed);
    }

    static FilesSettings of(FilesConfiguration c) {
        List<String> urls = urls(c.urls());
        Set<String> names = new LinkedHashSet<>();
        urls.forEach(url -> names.add(URI.create(url).getHost()));
        List<String> allowed = List.of(c.allowed());
        return new FilesSettings(
                urls,
                names,
                allowed.equals(List.of(EVERYBODY)),
                allowed.equals(List.of(EVERYBODY)) ? Set.of() : keys(allowed),
                bytes("maxBlobMiB", c.maxBlobMiB(), 1, 1_048_576),
                bytes("quotaMiB", c.quotaMiB(), 1, 1_073_741_824),
                range("quotaBlobs", c.quotaBlobs(), 1, 10_000_000),
                c.totalMiB() == 0 ? Long.MAX_VALUE : bytes("totalMiB", c.totalMiB(), 1, 1_073_741_824),
                bytes("addressMiBPerHour", c.addressMiBPerHour(), 1, 1_048_576),
                range("addressRequestsPerMinute", c.addressRequestsPerMinute(), 1, 1_000_000),
                Duration.ofHours(range("tokenHours", c.tokenHours(), 1, 8_760)),
                Duration.ofHours(range("partialHours", c.partialHours(), 1, 720)),
                range("partialsPerKey", c.partialsPerKey(), 1, 100),
                range("scrubDays", c.scrubDays(), 0, 3_650),
                c.serverTagRequired());
    }

    boolean mayUpload(PublicKey key) {
        return everybody || allowed.contains(key);
    }

    /** The URL that a client came by, as its Host header says, which was checked before. */
    String urlOf(String host) {
        for (String url : urls) {
            if (URI.create(url).getRawAuthority().equals(host.toLowerCase(Locale.ROOT))) {
                return url;
            }
        }
        return urls.get(0);
    }

    private static List<String> urls(String[] given) {
        List<String> urls = new ArrayList<>();
        for (String url : given) {
            urls.add(url(url));
        }
        if (urls.isEmpty()) {
            throw refused("urls", "", "at least one http or https URL");
        }
        return urls;
    }

    private static String url(String given) {
        try {
            URI url = new URI(given.toLowerCase(Locale.ROOT));
            boolean plain = ("http".equals(url.getScheme()) || "https".equals(url.getScheme()))
                    && url.getHost() != null
                    && url.getRawUserInfo() == null
                    && url.getRawQuery() == null
                    && url.getRawFragment() == null
                    && (url.getRawPath().isEmpty() || url.getRawPath().equals("/"));
            if (plain) {
                return url.getScheme() + "://" + url.getRawAuthority();
            }
        } catch (URISyntaxException e) {
            // The same refusal as for a URL that cannot be one of a file server.
        }
        throw refused("urls", given, "http or https, a host and perhaps a port: Blossom has its paths at the root");
    }

    private static Set<PublicKey> keys(List<String> given) {
        Set<PublicKey> keys = new HashSet<>();
        for (String text : given) {
            keys.add(key(text.strip()));
        }
        return keys;
    }

    private static PublicKey key(String text) {
        try {
            if (!text.startsWith("npub1")) {
                return PublicKey.ofHex(text);
            }
            if (Nip19.decode(text) instanceof Nip19.Npub npub) {
                return npub.pubkey();
            }
        } catch (ProtocolException | IllegalArgumentException e) {
            // Refused as whatever else is no public key; the text may be a secret one and is not repeated.
        }
        throw refused("allowed", "…", "npub1…, or 64 lower-case hex digits, or a single *");
    }

    private static long bytes(String key, int mib, int min, int max) {
        return (long) range(key, mib, min, max) << MIB_BITS;
    }

    private static int range(String key, int value, int min, int max) {
        if (value < min || value > max) {
            throw refused(key, Integer.toString(value), min + " to " + max);
        }
        return value;
    }

    private static IllegalArgumentException refused(String key, String value, String allowed) {
        return new IllegalArgumentException(PID + " " + key + "=" + value + ": allowed is " + allowed);
    }
}
