package im.parley.launcher;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A publisher's word for one jar, in the file {@code <jar>.sig} beside it. It is Ed25519 over five fields, each preceded by
 * its length as four bytes, most significant first:
 *
 * <ol>
 *   <li>the ASCII text {@code parley-plugin-v1},
 *   <li>SHA-256 of the jar, as its 32 bytes and not as hex,
 *   <li>the bundle symbolic name, in UTF-8,
 *   <li>the version in OSGi's canonical spelling ({@code 1.2.0}), in UTF-8,
 *   <li>the instant after which it is not installed any more, in ASCII as {@code 2027-01-31T00:00:00Z}.
 * </ol>
 *
 * <p>The file is JSON of exactly these members beside {@code format}, which is 1. It names its key, which means nothing by
 * itself: {@link TrustStore} says whose it is.
 *
 * @param key public key, 32 bytes as lower-case hex
 * @param sha256 of the jar, lower-case hex
 * @param notAfter of whole seconds
 * @param signature 64 bytes in Base64
 */
public record PluginSignature(
        String key, String sha256, String bsn, String version, Instant notAfter, String signature) {
    /** Behind the name of the jar. */
    public static final String SUFFIX = ".sig";

    /** The only format there is. */
    public static final int FORMAT = 1;

    static final int MAX_BYTES = 4096;
    private static final String CONTEXT = "parley-plugin-v1";

    /**
     * Signs a checked archive.
     *
     * @param notAfter cut to whole seconds
     * @throws LauncherException {@code trust.bad-key}
     */
    public static PluginSignature sign(PluginArchive archive, KeyPair key, Instant notAfter) throws LauncherException {
        try {
            Instant until = notAfter.truncatedTo(ChronoUnit.SECONDS);
            String hex = Ed25519.hex(key.getPublic());
            byte[] message = message(archive.sha256(), archive.bsn(), archive.version(), until);
            byte[] signature = Ed25519.sign(key.getPrivate(), message);
            if (!Ed25519.verifies(hex, message, signature)) {
                throw new GeneralSecurityException("the two halves of the key do not belong together");
            }
            return new PluginSignature(
                    hex,
                    archive.sha256(),
                    archive.bsn(),
                    archive.version(),
                    until,
                    Base64.getEncoder().encodeToString(signature));
        } catch (GeneralSecurityException | IOException e) {
            throw PublisherKey.bad("Nothing was signed.", String.valueOf(e.getMessage()), e);
        }
    }

    /**
     * A signature's file; null if there is none.
     *
     * @throws LauncherException {@code plugin.bad-signature}
     */
    public static @Nullable PluginSignature read(Path file) throws LauncherException {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw PluginRefusals.signature("Its signature " + file + " is no file", null);
        }
        try (InputStream in = Files.newInputStream(file)) {
            return parse(in.readNBytes(MAX_BYTES + 1));
        } catch (NoSuchFileException absent) {
            return null;
        } catch (IOException e) {
            throw PluginRefusals.signature("Its signature " + file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Where the signature of a jar lies. */
    public static Path fileOf(Path jar) {
        return jar.resolveSibling(jar.getFileName() + SUFFIX);
    }

    /**
     * Reads the file; says nothing yet about whether it is right.
     *
     * @throws LauncherException {@code plugin.bad-signature}
     */
    public static PluginSignature parse(byte[] json) throws LauncherException {
        try {
            if (json.length > MAX_BYTES) {
                throw new IOException("it has more than " + MAX_BYTES + " bytes");
            }
            return of(Json.object(json));
        } catch (IOException | DateTimeException e) {
            throw PluginRefusals.signature("Its signature file cannot be understood: " + e.getMessage(), e);
        }
    }

    static PluginSignature of(Map<String, Object> root) throws IOException {
        if (Json.number(root, "format") != FORMAT) {
            throw new IOException("its format is not " + FORMAT);
        }
        String time = Json.text(root, "notAfter");
        Instant notAfter = Instant.parse(time);
        PluginSignature parsed = new PluginSignature(
                Json.text(root, "key"),
                Json.text(root, "sha256"),
                Json.text(root, "bsn"),
                Json.text(root, "version"),
                notAfter,
                Json.text(root, "signature"));
        // One spelling only, so that what is shown is what was signed.
        if (!parsed.members().equals(root)
                || !parsed.sha256.matches("[0-9a-f]{64}")
                || !notAfter.equals(notAfter.truncatedTo(ChronoUnit.SECONDS))) {
            throw new IOException("it has another form than format " + FORMAT);
        }
        return parsed;
    }

    private Map<String, Object> members() {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", (long) FORMAT);
        root.put("key", key);
        root.put("sha256", sha256);
        root.put("bsn", bsn);
        root.put("version", version);
        root.put("notAfter", notAfter.toString());
        root.put("signature", signature);
        return root;
    }

    /** The file. */
    public byte[] toJson() {
        return Json.pretty(members());
    }

    Map<String, Object> toMap() {
        return members();
    }

    /** Whether the key that it names signed what it says. */
    boolean isRight() {
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(signature);
        } catch (IllegalArgumentException e) {
            return false;
        }
        return bytes.length == 64
                && Base64.getEncoder().encodeToString(bytes).equals(signature)
                && Ed25519.verifies(key, message(sha256, bsn, version, notAfter), bytes);
    }

    /** What is signed. */
    static byte[] message(String sha256, String bsn, String version, Instant notAfter) {
        ByteArrayOutputStream message = new ByteArrayOutputStream();
        for (byte[] field : new byte[][] {
            CONTEXT.getBytes(StandardCharsets.US_ASCII),
            HexFormat.of().parseHex(sha256),
            bsn.getBytes(StandardCharsets.UTF_8),
            version.getBytes(StandardCharsets.UTF_8),
            notAfter.toString().getBytes(StandardCharsets.US_ASCII)
        }) {
            message.writeBytes(ByteBuffer.allocate(4).putInt(field.length).array());
            message.writeBytes(field);
        }
        return message.toByteArray();
    }
}
