package im.parley.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A small distribution that really resolves, and plugins for it that are really signed. */
final class SampleStack {
    static final Instant NOW = Instant.parse("2026-11-26T12:00:00Z");
    static final String SLOT = "policy.limits";
    static final String OWN = "x.store~main";
    static final String PLUGIN = "com.acme.chess";

    final Path dir;
    final Path state;
    final JarStore jars;
    final TrustStore trust;
    final PluginGate gate;
    final Path scratch;
    final KeyPair acme = pair();
    private Instant now = NOW;
    private int files;

    SampleStack(Path dir) throws IOException, LauncherException {
        this.dir = dir;
        this.state = dir.resolve("state");
        this.scratch = dir.resolve("trial");
        this.jars = new JarStore(Files.createDirectories(dir.resolve("jars")));
        this.trust = TrustStore.open(state, (act, what) -> {});
        trust.add("acme", Ed25519.hex(acme.getPublic()), List.of("com.acme", "x.keep", "x.store"), false, NOW);
        this.gate = new PluginGate(trust, () -> now);
    }

    private static KeyPair pair() {
        try {
            return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    void laterBy(Duration time) {
        now = now.plus(time);
    }

    private Generation.BundleEntry bundle(PluginForge forge, String bsn) throws LauncherException {
        byte[] jar = forge.jar();
        jars.admit(Hashes.sha256(jar), jar);
        return new Generation.BundleEntry(bsn, "1.0.0", Hashes.sha256(jar), 20);
    }

    private static PluginForge host(String bsn) {
        PluginForge forge = PluginForge.plugin(bsn, "1.0.0");
        forge.manifest.remove("Import-Package");
        return forge;
    }

    /** What the features make. */
    Generation distribution(String lock) throws LauncherException {
        return distribution(lock, "0.1.0");
    }

    /** The same with another version of the plugin API. */
    Generation distribution(String lock, String api) throws LauncherException {
        List<Generation.BundleEntry> bundles = List.of(
                bundle(
                        host("im.parley.api")
                                .header(
                                        "Export-Package",
                                        "im.parley.api.policy;version=" + api
                                                + ",org.osgi.service.component;version=1.5"),
                        "im.parley.api"),
                bundle(host("im.parley.slot"), "im.parley.slot"),
                bundle(host("im.parley.egress"), "im.parley.egress"),
                bundle(host("x.store").header("Import-Package", PLUGIN + ".api;resolution:=optional"), "x.store"),
                bundle(host("x.keep"), "x.keep"));
        Map<String, Map<String, Object>> configurations = new TreeMap<>();
        configurations.put(OWN, Map.of("limit", 5L));
        configurations.put("x.store~second", Map.of());
        configurations.put("x.keep~main", Map.of());
        configurations.put("x.keep~second", Map.of());
        configurations.put("im.parley.egress", Map.of("logDir", "${parley.logs}", "size", 7L));
        configurations.put("im.parley.slot~policy.limits", Map.of(Generation.SLOT, SLOT, "handover", "none"));
        configurations.put("im.parley.slot~kept.a", Map.of(Generation.SLOT, "kept.a", "handover", "copy"));
        configurations.put("im.parley.slot~kept.b", Map.of(Generation.SLOT, "kept.b", "handover", "copy"));
        configurations.put("im.parley.slot~fixed", Map.of(Generation.SLOT, "fixed"));
        Map<String, List<String>> slots = Map.of(
                SLOT,
                List.of(OWN),
                "kept.a",
                List.of("x.keep~main"),
                "kept.b",
                List.of("x.keep~main"),
                "fixed",
                List.of("x.keep~main"));
        return new Generation(lock, List.of("base"), bundles, configurations, slots, List.of(), Map.of(), slots);
    }

    static PluginForge chess(String version) {
        return PluginForge.plugin(PLUGIN, version)
                .with(PluginOffer.FILE, "{\"format\":1,\"configurations\":{\"" + PLUGIN + "~main\":{\"size\":8}}}");
    }

    /** A file with its signature beside it. */
    Path signed(PluginForge forge) throws IOException, LauncherException {
        Path jar = dir.resolve("plugin-" + ++files + ".jar");
        Files.write(jar, forge.jar());
        PluginSignature signature =
                PluginSignature.sign(PluginArchive.of(forge.jar()), acme, NOW.plus(Duration.ofDays(1)));
        Files.write(PluginSignature.fileOf(jar), signature.toJson());
        return jar;
    }

    static StackFile.Entry entry(Path jar) {
        return new StackFile.Entry(jar, null, "", "", "", null);
    }

    /** As an act does it. */
    void accept(StackPlan plan) throws LauncherException {
        for (TrustStore.Admitted plugin : plan.added()) {
            jars.admit(plugin);
            gate.accept(plugin);
        }
    }
}
