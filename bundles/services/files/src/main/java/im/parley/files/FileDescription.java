package im.parley.files;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Everything that is needed to get an encrypted file and read it, as a message of kind 15 says it (NIP-17). It holds a key:
 * it goes nowhere but into encrypted messages and sealed records. Immutable.
 */
public final class FileDescription {
    private static final int MAX_URLS = 16;
    private static final int MAX_URL = 2_048;
    private static final int MAX_TEXT = 4_096;
    private static final HexFormat HEX = HexFormat.of();
    private static final Pattern DIMENSIONS = Pattern.compile("([1-9][0-9]{0,8})x([1-9][0-9]{0,8})");

    private final List<URI> urls;
    private final Sha256 sha256;
    private final @Nullable Sha256 plaintextSha256;
    private final long sizeBytes;
    private final byte[] key;
    private final byte[] nonce;
    private final About about;

    /**
     * What is said about a file; nothing of it is needed to get it, and nothing is believed.
     *
     * @param mediaType {@code application/octet-stream} if it is not known
     * @param name empty if it has none
     * @param width in pixels, as shown; 0 if it is not known
     * @param blurhash empty if there is none
     * @param durationMillis 0 if it is not known
     * @param waveform empty if there is none
     */
    public record About(
            String mediaType,
            String name,
            int width,
            int height,
            String blurhash,
            long durationMillis,
            String waveform) {
        /** Of a file that nobody said anything about. */
        public static final About NOTHING = new About("application/octet-stream", "", 0, 0, "", 0, "");
    }

    /**
     * @param urls where it is, best first; may be empty
     * @param sha256 of the encrypted file with its tag, by which servers know it
     * @param plaintextSha256 null if it was not said
     * @param sizeBytes of the encrypted file; -1 if it was not said
     * @param key 32 bytes, copied
     * @param nonce 12 or 16 bytes, copied
     */
    public FileDescription(
            List<URI> urls,
            Sha256 sha256,
            @Nullable Sha256 plaintextSha256,
            long sizeBytes,
            byte[] key,
            byte[] nonce,
            About about) {
        if (key.length != 32 || nonce.length != 12 && nonce.length != 16) {
            throw new IllegalArgumentException("a key has 32 bytes and a nonce 12 or 16");
        }
        this.urls = List.copyOf(urls);
        this.sha256 = sha256;
        this.plaintextSha256 = plaintextSha256;
        this.sizeBytes = sizeBytes;
        this.key = key.clone();
        this.nonce = nonce.clone();
        this.about = about;
    }

    public List<URI> urls() {
        return urls;
    }

    public Sha256 sha256() {
        return sha256;
    }

    public @Nullable Sha256 plaintextSha256() {
        return plaintextSha256;
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    /** A copy. */
    public byte[] key() {
        return key.clone();
    }

    /** A copy. */
    public byte[] nonce() {
        return nonce.clone();
    }

    public About about() {
        return about;
    }

    /** The same file at other addresses. */
    public FileDescription at(List<URI> others) {
        return new FileDescription(others, sha256, plaintextSha256, sizeBytes, key, nonce, about);
    }

    /** The content of the rumor: the first address. */
    public String content() {
        return urls.isEmpty() ? "" : urls.get(0).toASCIIString();
    }

    /**
     * The tags of the rumor beside those that name its receivers. No {@code thumb}: NIP-17 has it encrypted with the same key
     * and nonce, which would give both away.
     */
    public List<List<String>> tags() {
        List<List<String>> tags = new ArrayList<>();
        tags.add(List.of("file-type", about.mediaType()));
        tags.add(List.of("encryption-algorithm", "aes-gcm"));
        tags.add(List.of("decryption-key", HEX.formatHex(key)));
        tags.add(List.of("decryption-nonce", HEX.formatHex(nonce)));
        tags.add(List.of("x", sha256.hex()));
        if (plaintextSha256 != null) {
            tags.add(List.of("ox", plaintextSha256.hex()));
        }
        if (sizeBytes >= 0) {
            tags.add(List.of("size", Long.toString(sizeBytes)));
        }
        if (about.width() > 0) {
            tags.add(List.of("dim", about.width() + "x" + about.height()));
        }
        put(tags, "blurhash", about.blurhash());
        put(tags, "filename", about.name());
        put(tags, "waveform", about.waveform());
        if (about.durationMillis() > 0) {
            tags.add(List.of("duration", String.format(Locale.ROOT, "%.3f", about.durationMillis() / 1_000.0)));
        }
        urls.stream().skip(1).forEach(url -> tags.add(List.of("fallback", url.toASCIIString())));
        return tags;
    }

    private static void put(List<List<String>> tags, String name, String value) {
        if (!value.isEmpty()) {
            tags.add(List.of(name, value));
        }
    }

    /**
     * Reads what others wrote: keys in hex or base64, nonces of 12 or 16 bytes.
     *
     * @throws ProviderException {@code REJECTED file.bad-description} if something that is needed is missing or wrong; {@code
     *     UNSUPPORTED file.unknown-cipher} for another algorithm than aes-gcm
     */
    public static FileDescription of(String content, List<List<String>> tags) throws ProviderException {
        if (!value(tags, "encryption-algorithm").equals("aes-gcm")) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "file.unknown-cipher",
                    "The file is encrypted in a way that Parley does not know.");
        }
        List<URI> urls = new ArrayList<>();
        add(urls, content.strip());
        tags.stream()
                .filter(tag -> tag.size() > 1 && tag.get(0).equals("fallback"))
                .forEach(tag -> add(urls, tag.get(1)));
        String size = value(tags, "size");
        String ox = value(tags, "ox");
        try {
            return new FileDescription(
                    urls,
                    Sha256.ofHex(value(tags, "x").toLowerCase(Locale.ROOT)),
                    ox.isEmpty() ? null : Sha256.ofHex(ox.toLowerCase(Locale.ROOT)),
                    size.matches("[0-9]{1,15}") ? Long.parseLong(size) : -1,
                    bytes(value(tags, "decryption-key"), length -> length == 32),
                    bytes(value(tags, "decryption-nonce"), length -> length == 12 || length == 16),
                    about(tags));
        } catch (IllegalArgumentException e) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "file.bad-description",
                    "The message does not say what is needed to get the file: its hash, key or nonce is missing or wrong.");
        }
    }

    private static About about(List<List<String>> tags) {
        Matcher dimensions = DIMENSIONS.matcher(value(tags, "dim"));
        boolean known = dimensions.matches();
        String type = value(tags, "file-type");
        String duration = value(tags, "duration");
        return new About(
                type.isEmpty() ? About.NOTHING.mediaType() : type,
                value(tags, "filename"),
                known ? Integer.parseInt(dimensions.group(1)) : 0,
                known ? Integer.parseInt(dimensions.group(2)) : 0,
                value(tags, "blurhash"),
                duration.matches("[0-9]{1,9}(\\.[0-9]{1,9})?") ? (long) (Double.parseDouble(duration) * 1_000) : 0,
                value(tags, "waveform"));
    }

    private static String value(List<List<String>> tags, String name) {
        for (List<String> tag : tags) {
            if (tag.size() > 1 && tag.get(0).equals(name) && tag.get(1).length() <= MAX_TEXT) {
                return tag.get(1);
            }
        }
        return "";
    }

    private static void add(List<URI> urls, String text) {
        if (urls.size() >= MAX_URLS || text.isEmpty() || text.length() > MAX_URL) {
            return;
        }
        try {
            URI url = new URI(text);
            String scheme = String.valueOf(url.getScheme()).toLowerCase(Locale.ROOT);
            if ((scheme.equals("https") || scheme.equals("http"))
                    && url.getHost() != null
                    && url.getRawUserInfo() == null) {
                urls.add(url);
            }
        } catch (URISyntaxException e) {
            // One address less; the file may be at another.
            return;
        }
    }

    private static byte[] bytes(String text, Predicate<Integer> fits) {
        if (text.matches("([0-9a-fA-F]{2})+") && fits.test(text.length() / 2)) {
            return HEX.parseHex(text.toLowerCase(Locale.ROOT));
        }
        byte[] decoded = Base64.getDecoder().decode(text.replace('-', '+').replace('_', '/'));
        if (!fits.test(decoded.length)) {
            throw new IllegalArgumentException("a length that nobody uses");
        }
        return decoded;
    }

    /** Without the key. */
    @Override
    public String toString() {
        return "FileDescription[" + sha256 + ", " + sizeBytes + " bytes, " + about.mediaType() + ", key [REDACTED]]";
    }
}
