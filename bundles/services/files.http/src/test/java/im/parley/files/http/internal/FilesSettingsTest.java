package im.parley.files.http.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.PublicKey;
import im.parley.protocol.Nip19;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FilesSettingsTest {
    private static final PublicKey KEY = PublicKey.ofHex("ab".repeat(32));

    /** The defaults of the configuration, with some values changed. */
    private static FilesConfiguration configuration(Object... changes) {
        Map<String, Object> values = new HashMap<>();
        values.put("urls", new String[] {"http://127.0.0.1:7472"});
        for (int i = 0; i < changes.length; i += 2) {
            values.put((String) changes[i], changes[i + 1]);
        }
        return (FilesConfiguration) Proxy.newProxyInstance(
                FilesConfiguration.class.getClassLoader(),
                new Class<?>[] {FilesConfiguration.class},
                (proxy, method, arguments) -> values.getOrDefault(method.getName(), method.getDefaultValue()));
    }

    private static FilesSettings of(Object... changes) {
        return FilesSettings.of(configuration(changes));
    }

    @Test
    void nobodyMayUploadUntilSomebodyIsNamed() {
        assertFalse(of().mayUpload(KEY));
        assertTrue(of("allowed", new String[] {KEY.hex()}).mayUpload(KEY));
        assertTrue(of("allowed", new String[] {" " + Nip19.npub(KEY)}).mayUpload(KEY));
        assertFalse(of("allowed", new String[] {"cd".repeat(32)}).mayUpload(KEY));
        assertTrue(of("allowed", new String[] {"*"}).mayUpload(KEY));
    }

    @Test
    void urlsGiveTheNamesAndTheAddressToTell() {
        FilesSettings s = of("urls", new String[] {"https://Files.example.org/", "http://127.0.0.1:7472"});
        assertEquals(List.of("https://files.example.org", "http://127.0.0.1:7472"), s.urls());
        assertEquals(Set.of("files.example.org", "127.0.0.1"), s.names());
        assertEquals("http://127.0.0.1:7472", s.urlOf("127.0.0.1:7472"));
        assertEquals("https://files.example.org", s.urlOf("FILES.example.org"));
        assertEquals("https://files.example.org", s.urlOf("localhost:7472"));
        for (String bad : List.of(
                "",
                "files.example.org",
                "ftp://a",
                "http://",
                "http://a/b",
                "http://a?b",
                "http://u@a",
                "http://a#b")) {
            String said =
                    String.valueOf(assertThrows(IllegalArgumentException.class, () -> of("urls", new String[] {bad}))
                            .getMessage());
            assertTrue(said.startsWith("im.parley.files.http urls=" + bad), said);
        }
        assertThrows(IllegalArgumentException.class, () -> of("urls", new String[0]));
    }

    @Test
    void whatIsNoPublicKeyIsNotRepeated() {
        String secret = Nip19.nsec(new byte[32]);
        for (String bad : List.of(secret, "alice", "ab", "npub1x", "AB".repeat(32))) {
            String said =
                    String.valueOf(assertThrows(IllegalArgumentException.class, () -> of("allowed", new String[] {bad}))
                            .getMessage());
            assertFalse(said.contains(bad), said);
        }
        assertThrows(IllegalArgumentException.class, () -> of("allowed", new String[] {"*", KEY.hex()}));
    }

    @Test
    void numbersAreChecked() {
        for (String key : List.of(
                "maxBlobMiB",
                "quotaMiB",
                "quotaBlobs",
                "addressMiBPerHour",
                "addressRequestsPerMinute",
                "tokenHours")) {
            String said = String.valueOf(assertThrows(IllegalArgumentException.class, () -> of(key, 0))
                    .getMessage());
            assertTrue(said.contains(key + "=0"), said);
        }
        assertEquals(Long.MAX_VALUE, of().totalBytes());
        assertEquals(5L << 20, of("totalMiB", 5).totalBytes());
    }
}
