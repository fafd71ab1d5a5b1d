package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PluginSignatureTest {
    /** The first key of RFC 8032, section 7.1. */
    private static final String KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    private static final String SECRET_PEM = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    private static final String PUBLIC_PEM = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    private static final String HASH = Hashes.sha256("parley".getBytes(StandardCharsets.UTF_8));
    private static final Instant UNTIL = Instant.parse("2027-01-31T00:00:00Z");

    /**
     * Made with crypto.sign of Node.js 20 and, the same, with {@code openssl pkeyutl -sign -rawin} of OpenSSL 3.0, from a
     * message that was put together there.
     */
    private static final String SIGNATURE =
            "I4PZbaa69BO25c4sn0gDfojR8WXmcIJWQqDQ8YjiU+J5xwVBvIxxDzkcrwuO7fUMsf7u3m2hdjJ2BSg9zfqADQ==";

    @TempDir
    Path dir;

    private static PluginSignature known() {
        return new PluginSignature(KEY, HASH, "com.acme.chess", "1.2.0", UNTIL, SIGNATURE);
    }

    @Test
    void PL_01_theMessageIsWhatTheDocumentationSays() {
        assertEquals(
                "000000107061726c65792d706c7567696e2d763100000020d689dfcda24e5991148d167ed34cacf0d83e2c04800668bd7f0f7a"
                        + "f5fe58e4b40000000e636f6d2e61636d652e636865737300000005312e322e3000000014323032372d30312d33315430"
                        + "303a30303a30305a",
                HexFormat.of().formatHex(PluginSignature.message(HASH, "com.acme.chess", "1.2.0", UNTIL)));
    }

    @Test
    void PL_01_aSignatureOfOtherToolsIsRightAndTheSameAsOurs() throws Exception {
        assertTrue(known().isRight());
        KeyPair pair = PublisherKey.read(pem("rw-------"));
        assertEquals(
                SIGNATURE,
                java.util.Base64.getEncoder()
                        .encodeToString(Ed25519.sign(
                                pair.getPrivate(), PluginSignature.message(HASH, "com.acme.chess", "1.2.0", UNTIL))));
        assertEquals(KEY, Ed25519.hex(pair.getPublic()));
        assertEquals(known(), PluginSignature.parse(known().toJson()));
    }

    private Path pem(String mode) throws Exception {
        Path file = dir.resolve("key" + mode.hashCode());
        Files.writeString(
                file,
                "-----BEGIN PRIVATE KEY-----\n" + SECRET_PEM
                        + "\n-----END PRIVATE KEY-----\n-----BEGIN PUBLIC KEY-----\n"
                        + PUBLIC_PEM + "\n-----END PUBLIC KEY-----\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        return file;
    }

    @Test
    void PL_01_everyFieldAndEveryBitIsSigned() {
        PluginSignature s = known();
        for (PluginSignature other : List.of(
                new PluginSignature(KEY.replace('a', 'b'), HASH, s.bsn(), s.version(), UNTIL, SIGNATURE),
                new PluginSignature(KEY, HASH.replace('d', 'e'), s.bsn(), s.version(), UNTIL, SIGNATURE),
                new PluginSignature(KEY, HASH, "com.acme.ches", s.version(), UNTIL, SIGNATURE),
                new PluginSignature(KEY, HASH, s.bsn(), "1.2.1", UNTIL, SIGNATURE),
                new PluginSignature(KEY, HASH, s.bsn(), s.version(), UNTIL.plusSeconds(1), SIGNATURE),
                // The fields are told apart by their lengths.
                new PluginSignature(KEY, HASH, "com.acme.chess1", ".2.0", UNTIL, SIGNATURE))) {
            assertFalse(other.isRight(), other.toString());
        }
        byte[] bytes = java.util.Base64.getDecoder().decode(SIGNATURE);
        for (int bit = 0; bit < bytes.length * 8; bit++) {
            bytes[bit / 8] ^= (byte) (1 << bit % 8);
            String flipped = java.util.Base64.getEncoder().encodeToString(bytes);
            assertFalse(new PluginSignature(KEY, HASH, s.bsn(), s.version(), UNTIL, flipped).isRight(), "bit " + bit);
            bytes[bit / 8] ^= (byte) (1 << bit % 8);
        }
    }

    /** The order added to S gives a second signature of the same text where that is not checked (RFC 8032, 5.1.7). */
    @Test
    void PL_01_aSignatureHasOneForm() {
        byte[] bytes = java.util.Base64.getDecoder().decode(SIGNATURE);
        byte[] order = HexFormat.of().parseHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        int carry = 0;
        for (int i = 0; i < 32; i++) {
            int sum = (bytes[32 + i] & 0xFF) + (order[i] & 0xFF) + carry;
            bytes[32 + i] = (byte) sum;
            carry = sum >> 8;
        }
        String second = java.util.Base64.getEncoder().encodeToString(bytes);
        assertFalse(new PluginSignature(KEY, HASH, "com.acme.chess", "1.2.0", UNTIL, second).isRight());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{}",
                "x",
                "[]",
                "{\"format\":1}",
                "FORMAT2",
                "EXTRA",
                "DUPLICATE",
                "NANOS",
                "ZONE",
                "UPPER",
                "LONG",
                "DEEP"
            })
    void PL_01_aFileThatIsNoSignatureIsABadOne(String text) {
        String good = new String(known().toJson(), StandardCharsets.UTF_8);
        String json = switch (text) {
            case "FORMAT2" -> good.replace(": 1,", ": 2,").replace(" : 1,", " : 2,");
            case "EXTRA" -> good.replaceFirst("\\{", "{\"more\":1,");
            case "DUPLICATE" -> good.replaceFirst("\\{", "{\"key\":\"x\",");
            case "NANOS" -> good.replace("00:00:00Z", "00:00:00.5Z");
            case "ZONE" -> good.replace("00:00:00Z", "00:00Z");
            case "UPPER" -> good.replace(HASH, HASH.toUpperCase(java.util.Locale.ROOT));
            case "LONG" -> good + " ".repeat(5000);
            case "DEEP" -> "{\"a\":" + "[".repeat(4000);
            default -> text;
        };
        LauncherException e = assertThrows(
                LauncherException.class, () -> PluginSignature.parse(json.getBytes(StandardCharsets.UTF_8)));
        assertEquals("plugin.bad-signature", e.code());
    }

    @Test
    void PL_01_noFileIsNoSignature() throws Exception {
        assertNull(PluginSignature.read(PluginSignature.fileOf(dir.resolve("a.jar"))));
    }

    @Test
    void aKeyPairIsKeptForItsOwnerAndOpensslReadsIt() throws Exception {
        Path file = dir.resolve("publisher.key");
        String key = PublisherKey.generate(file);
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        assertEquals(key, Ed25519.hex(PublisherKey.read(file).getPublic()));
        assertEquals(key, PublisherKey.readPublic(file));
        byte[] before = Files.readAllBytes(file);
        assertEquals(
                "trust.key-exists",
                assertThrows(LauncherException.class, () -> PublisherKey.generate(file))
                        .code());
        assertArrayEquals(before, Files.readAllBytes(file));
        PluginArchive archive = PluginArchive.of(PluginArchiveTest.plugin().jar());
        assertTrue(PluginSignature.sign(archive, PublisherKey.read(file), UNTIL).isRight());
    }

    @Test
    void aKeyThatOthersReadOrThatIsHalfAnothersSignsNothing() throws Exception {
        LauncherException open = assertThrows(LauncherException.class, () -> PublisherKey.read(pem("rw-r--r--")));
        assertEquals("trust.bad-key", open.code());
        assertFalse(open.toString().contains(SECRET_PEM), open.toString());
        Path file = dir.resolve("mixed");
        Path other = dir.resolve("other");
        PublisherKey.generate(other);
        String mixed = Files.readString(other).replaceAll("(?s)-----BEGIN PUBLIC.*", "")
                + "-----BEGIN PUBLIC KEY-----\n" + PUBLIC_PEM + "\n-----END PUBLIC KEY-----\n";
        Files.writeString(file, mixed);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        KeyPair pair = PublisherKey.read(file);
        PluginArchive archive = PluginArchive.of(PluginArchiveTest.plugin().jar());
        assertEquals(
                "trust.bad-key",
                assertThrows(LauncherException.class, () -> PluginSignature.sign(archive, pair, UNTIL))
                        .code());
        for (String text : List.of("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")) {
            Files.writeString(file, text);
            LauncherException e = assertThrows(LauncherException.class, () -> PublisherKey.read(file));
            assertEquals("trust.bad-key", e.code());
        }
    }

    /** Under these one signature fits any text. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "0100000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000080",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
            })
    void PL_01_keysThatFitAnythingAreNone(String key) {
        assertFalse(Ed25519.isUsable(key));
        assertFalse(Ed25519.verifies(key, new byte[3], new byte[64]));
    }
}
