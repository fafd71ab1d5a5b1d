package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrustCommandsTest {
    @TempDir
    Path dir;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        out.reset();
        err.reset();
        Invocation invocation =
                new Invocation(
                        new ByteArrayInputStream(new byte[0]),
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8)) {
                    @Override
                    Map<String, String> environment() {
                        return Map.of("XDG_STATE_HOME", dir.resolve("state").toString());
                    }
                };
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("--data", dir.resolve("data").toString()));
        return Main.run(invocation, all.toArray(new String[0]));
    }

    private void ok(String... arguments) {
        assertEquals(Exit.OK, run(arguments), err());
    }

    private void refused(String code, String... arguments) {
        assertEquals(Exit.REFUSED, run(arguments), out());
        assertTrue(err().contains("Code: " + code), err());
        assertTrue(err().contains("  Why:  ") && err().contains("  Next: "), err());
    }

    private Map<String, Object> json(String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--json");
        ok(all.toArray(new String[0]));
        return Json.object(out.toByteArray());
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private String plugin(String name, String version) throws Exception {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Bundle-ManifestVersion", "2");
        manifest.getMainAttributes().putValue("Bundle-SymbolicName", name);
        manifest.getMainAttributes().putValue("Bundle-Version", version);
        manifest.getMainAttributes().putValue("Parley-Hosts", "chess.acme.com:443");
        Path jar = dir.resolve(name + "-" + version + ".jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream zip = new JarOutputStream(file, manifest)) {
            zip.finish();
        }
        return jar.toString();
    }

    @Test
    void fromAKeyToATrustedPluginAndBack() throws Exception {
        String keyFile = dir.resolve("acme.key").toString();
        ok("trust", "list");
        assertEquals("Nobody is trusted to make plugins.\n", out());
        assertFalse(Files.exists(dir.resolve("data")), "looking makes nothing");
        String key = Json.text(json("trust", "keygen", keyFile), "key");
        refused("trust.bad-file", "trust", "keygen", "");
        refused("trust.bad-file", "trust", "keygen", dir.resolve("a\nb.key").toString());
        String jar = plugin("com.acme.chess", "1.0");
        refused("plugin.unsigned", "trust", "check", jar);
        ok("trust", "sign", jar, "--key", keyFile, "--valid-days", "30");
        refused("plugin.untrusted", "trust", "check", jar);
        assertTrue(err().contains("the key " + key) && err().contains("./parley trust add"), err());
        ok("trust", "add", "acme", key, "--prefix", "com.acme", "--prefix", "org.acme");
        assertTrue(out().contains("stop mistakes, not hostile code"), out());
        Map<String, Object> checked = json("trust", "check", jar);
        assertEquals("acme", Json.text(checked, "publisher"));
        assertEquals(List.of("chess.acme.com:443"), Json.texts(checked, "hosts"));
        ok("trust", "check", jar);
        assertTrue(out().contains("com.acme.chess 1.0.0"), out());
        ok("trust", "minimum", "com.acme.chess", "1.1");
        refused("plugin.downgrade", "trust", "check", jar);
        refused("trust.invalid", "trust", "minimum", "com.acme.chess", "1.0");
        ok("trust", "minimum", "com.acme.chess", "1.0", "--lower");
        ok("trust", "check", jar);
        ok("trust", "remove", "acme");
        refused("plugin.untrusted", "trust", "check", jar);
        refused("trust.unknown", "trust", "remove", "acme");
        // The key's own file will do, too.
        ok("trust", "add", "acme", keyFile, "--prefix", "com.acme");
        ok("trust", "revoke", "acme", "--why", "it was stolen");
        refused("plugin.revoked", "trust", "check", jar);
        assertTrue(err().contains("it was stolen"), err());
        refused("trust.invalid", "trust", "add", "acme", key, "--prefix", "com.acme");
        ok("trust", "revoke", "--jar", "a".repeat(64));
        ok("trust", "list");
        assertTrue(out().contains(key) && out().contains("a".repeat(64)) && out().contains("1.0.0"), out());
        assertFalse(out().contains("Publishers"), out());
    }

    @Test
    void everyActIsInTheAuditLogAndNoKeyIsAnywhereElse() throws Exception {
        String keyFile = dir.resolve("acme.key").toString();
        String key = Json.text(json("trust", "keygen", keyFile), "key");
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(Path.of(keyFile))));
        String secret = Files.readAllLines(Path.of(keyFile)).get(1);
        StringBuilder seen = new StringBuilder(out()).append(err());
        ok("trust", "sign", plugin("com.acme.chess", "1"), "--key", keyFile);
        seen.append(out()).append(err());
        ok("trust", "add", "acme", key, "--prefix", "com.acme");
        ok("trust", "minimum", "com.acme.chess", "2");
        ok("trust", "revoke", "--key", "b".repeat(64), "--why", "lost");
        ok("trust", "remove", "acme");
        assertFalse(seen.toString().contains(secret));
        try (Stream<Path> files = Files.walk(dir)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertEquals(
                        file.toString().equals(keyFile),
                        Files.readString(file, StandardCharsets.ISO_8859_1).contains(secret),
                        file.toString());
            }
        }
        List<Map<String, Object>> entries = Json.objects(json("audit", "list"), "entries");
        List<String> acts = new ArrayList<>();
        for (Map<String, Object> entry : entries) {
            acts.add(Json.text(entry, "act"));
        }
        assertEquals(List.of("trust.add", "trust.minimum", "trust.revoke", "trust.remove"), acts);
        assertEquals(key, Json.text(Json.member(entries.get(0), "what"), "key"));
        ok("audit", "verify");
        assertEquals("All 4 entries are as they were written.\n", out());
    }

    @Test
    void whatIsNotAPluginIsNotSigned() throws Exception {
        String keyFile = dir.resolve("acme.key").toString();
        ok("trust", "keygen", keyFile);
        refused("trust.key-exists", "trust", "keygen", keyFile);
        Path text = dir.resolve("text.jar");
        Files.writeString(text, "text");
        refused("plugin.bad-archive", "trust", "sign", text.toString(), "--key", keyFile);
        refused("plugin.not-read", "trust", "sign", dir.resolve("none.jar").toString(), "--key", keyFile);
        String jar = plugin("com.acme.chess", "1");
        refused("trust.bad-key", "trust", "sign", jar, "--key", jar);
        Files.setPosixFilePermissions(Path.of(keyFile), PosixFilePermissions.fromString("rw-r--r--"));
        refused("trust.bad-key", "trust", "sign", jar, "--key", keyFile);
        assertFalse(Files.exists(Path.of(jar + ".sig")));
    }

    /** Acts of trust do not turn somebody's folder into a data directory. */
    @Test
    void aDirectoryOfSomethingElseIsLeftAlone() throws Exception {
        Path data = Files.createDirectory(dir.resolve("data"));
        Files.writeString(data.resolve("letter.txt"), "Dear Ann");
        refused("data.not-parley", "trust", "revoke", "--jar", "a".repeat(64));
        try (Stream<Path> files = Files.list(data)) {
            assertEquals(List.of(data.resolve("letter.txt")), files.toList());
        }
        ok("trust", "list");
        assertTrue(out().startsWith("Nobody"), "what could not be written down was not done");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "trust",
                "trust add acme",
                "trust add acme KEY",
                "trust revoke",
                "trust revoke a --jar b",
                "trust sign a.jar",
                "trust sign a.jar --key k --valid-days 0",
                "trust sign a.jar --key k --valid-days 3651"
            })
    void whatMakesNoSenseIsNotUnderstood(String line) {
        assertEquals(Exit.USAGE, run(line.split(" ")), out());
        assertTrue(err().contains("Code: cli.usage"), err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"list", "add", "remove", "revoke", "minimum", "keygen", "sign", "check"})
    void everyCommandHasHelp(String command) {
        ok("trust", command, "--help");
        assertTrue(out().contains("parley trust " + command), out());
    }

    @Test
    void adviceIsForTheSameDataDirectory() {
        refused("trust.unknown", "trust", "remove", "nobody");
        assertTrue(err().contains("./parley trust list --data " + dir.resolve("data")), err());
    }
}
