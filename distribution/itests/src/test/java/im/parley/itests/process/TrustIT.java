package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.After;
import org.junit.Test;

/** Acts of trust beside a node that runs: one audit log, whoever writes. */
public class TrustIT {
    private DistributionNode node;

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void AD_10_commandsAndNodeWriteOneLogAndAHandInItIsNoticed() throws Exception {
        node = DistributionNode.create("trust");
        refused("audit.not-read", "audit", "verify");
        refused("audit.not-read", "audit", "list");
        Path key = node.base().resolve("acme.key");
        String publicKey =
                node.json("trust", "keygen", key.toString()).path("key").asText();
        // Before there is a node.
        node.json("trust", "minimum", "com.acme.chess", "1.0");
        node.start();
        Path jar = plugin();
        node.json("trust", "sign", jar.toString(), "--key", key.toString());
        refused("plugin.untrusted", "trust", "check", jar.toString());

        CompletableFuture<Void> swaps = CompletableFuture.runAsync(() -> {
            for (int i = 0; i < 3; i++) {
                swap("im.parley.curve.bouncycastle~main");
                swap("im.parley.curve.secp256k1~main");
            }
        });
        node.json("trust", "add", "acme", publicKey, "--prefix", "com.acme");
        for (int i = 0; i < 3; i++) {
            node.json("trust", "revoke", "--jar", "%064x".formatted(i), "--why", "number " + i);
        }
        swaps.get();
        assertEquals(
                "acme",
                node.json("trust", "check", jar.toString()).path("publisher").asText());
        JsonNode whole = node.json("audit", "verify");
        assertTrue(whole.toString(), whole.path("attested").asBoolean());
        List<String> acts = new ArrayList<>();
        node.json("audit", "list")
                .path("entries")
                .forEach(each -> acts.add(each.path("act").asText()));
        assertEquals("trust.minimum", acts.get(0));
        assertEquals(
                acts.toString(), 3, acts.stream().filter("trust.revoke"::equals).count());
        assertEquals(acts.toString(), 6, acts.stream().filter("swap"::equals).count());
        assertFalse(acts.toString(), acts.contains("log.gap"));
        assertEquals(
                "rw-------",
                PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(node.base().resolve("state/parley/trust.json"))));
        String secret = Files.readAllLines(key).get(1);
        for (java.io.File file : node.files()) {
            assertEquals(
                    file.toString(),
                    file.toPath().equals(key),
                    new String(Files.readAllBytes(file.toPath()), java.nio.charset.StandardCharsets.ISO_8859_1)
                            .contains(secret));
        }

        node.json("stop");
        Path log = node.data().resolve("audit.jsonl");
        List<String> lines = Files.readAllLines(log);
        // The act that trusted acme, gone as if it had never been.
        lines.removeIf(line -> line.contains("\"act\":\"trust.add\""));
        Files.write(log, lines);
        refused("audit.chain-broken", "audit", "verify");
        node.start();
        String said = Files.readString(node.data().resolve("logs/parley.log"));
        assertTrue(said.contains("audit.chain-broken: Line "));
        refused("audit.chain-broken", "audit", "verify");
    }

    private void swap(String instance) {
        try {
            node.json("swap", "curve", instance);
        } catch (java.io.IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void refused(String code, String... line) throws Exception {
        DistributionNode.Result result = node.run("", line);
        assertEquals(result.out(), 1, result.exit());
        assertTrue(result.err(), result.err().contains("Code: " + code));
    }

    private Path plugin() throws Exception {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.putValue("Bundle-ManifestVersion", "2");
        attributes.putValue("Bundle-SymbolicName", "com.acme.chess");
        attributes.putValue("Bundle-Version", "1.0");
        Path jar = node.base().resolve("chess.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
            out.finish();
        }
        return jar;
    }
}
