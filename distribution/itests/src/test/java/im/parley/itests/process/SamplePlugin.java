package im.parley.itests.process;

import im.parley.api.lifecycle.Provider;
import im.parley.launcher.PluginArchive;
import im.parley.launcher.PluginSignature;
import im.parley.launcher.PublisherKey;
import im.parley.launcher.TrustStore;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarInputStream;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.osgi.framework.Bundle;

/**
 * A plugin as somebody outside would make it: a policy of the relay that refuses one kind, compiled against nothing but
 * the plugin API, signed by a publisher of the test. Versions of it differ in what the test says.
 */
final class SamplePlugin {
    static final String NAME = "org.example.gate";

    private static final Duration VALID = Duration.ofDays(30);

    private final Path folder;
    private final String symbolicName;
    private final String version;
    private final Map<String, String> headers = new LinkedHashMap<>();
    private final Map<String, String> entries = new TreeMap<>();
    private String body = "";
    private String beginning = "";
    private int refusedKind = 9_999;

    private SamplePlugin(Path folder, String symbolicName, String version) {
        this.folder = folder;
        this.symbolicName = symbolicName;
        this.version = version;
        headers.put("Bundle-ManifestVersion", "2");
        headers.put("Bundle-SymbolicName", symbolicName);
        headers.put("Bundle-Version", version);
        headers.put(
                "Import-Package",
                "im.parley.api.event;version=\"[0.1,0.2)\",im.parley.api.lifecycle;version=\"[0.1,0.2)\","
                        + "im.parley.api.policy;version=\"[0.1,0.2)\"");
        headers.put("Service-Component", "OSGI-INF/gate.xml");
        headers.put("Parley-Files", "own");
        offer("{\"format\":1,\"configurations\":{\"" + symbolicName + "~main\":{}}}");
    }

    /** That version of the policy, to be written into a folder. */
    static SamplePlugin of(Path folder, String version) {
        return new SamplePlugin(folder, NAME, version);
    }

    static SamplePlugin of(Path folder, String symbolicName, String version) {
        return new SamplePlugin(folder, symbolicName, version);
    }

    SamplePlugin header(String name, String value) {
        headers.put(name, value);
        return this;
    }

    SamplePlugin refusing(int kind) {
        refusedKind = kind;
        return this;
    }

    /** Done when it is opened. */
    SamplePlugin opening(String statements) {
        body = statements;
        return this;
    }

    /**
     * Done by a second component, which starts with the bundle.
     *
     * @param statements that may use {@code context}, a BundleContext
     * @param references elements of its description, bound and unbound by {@code found(ServiceReference)}
     */
    SamplePlugin beginning(String statements, String references) {
        beginning = statements;
        entry("OSGI-INF/more.xml", """
                <?xml version="1.0" encoding="UTF-8"?>
                <scr:component xmlns:scr="http://www.osgi.org/xmlns/scr/v1.3.0" name="%s.more" immediate="true"
                    activate="begin">
                  <implementation class="%s.Gate"/>
                  %s
                </scr:component>
                """.formatted(symbolicName, symbolicName, references));
        header("Service-Component", "OSGI-INF/gate.xml,OSGI-INF/more.xml");
        return header("Import-Package", headers.get("Import-Package") + ",org.osgi.framework");
    }

    /** What its code said with {@code report(String)}. */
    List<String> reported() throws IOException {
        return Files.exists(reportFile()) ? Files.readAllLines(reportFile()) : List.of();
    }

    private Path reportFile() {
        return folder.resolve(symbolicName + "-" + version + ".report");
    }

    SamplePlugin offer(String json) {
        return entry("OSGI-INF/parley/stack.json", json);
    }

    SamplePlugin entry(String name, String text) {
        entries.put(name, text);
        return this;
    }

    /** The jar, without a signature. */
    Path unsigned() throws IOException {
        Files.createDirectories(folder);
        Path jar = Files.createTempFile(folder, symbolicName + "-" + version + "-", ".jar");
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        headers.forEach((name, value) -> manifest.getMainAttributes().putValue(name, value));
        Path classes = compiled();
        entries.put("OSGI-INF/gate.xml", component());
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream archive = new JarOutputStream(out, manifest);
                Stream<Path> compiled = Files.list(classes.resolve(symbolicName.replace('.', '/')))) {
            for (Map.Entry<String, String> entry : entries.entrySet()) {
                archive.putNextEntry(new JarEntry(entry.getKey()));
                archive.write(entry.getValue().getBytes(StandardCharsets.UTF_8));
                archive.closeEntry();
            }
            for (Path each : compiled.sorted().toList()) {
                archive.putNextEntry(new JarEntry(symbolicName.replace('.', '/') + "/" + each.getFileName()));
                Files.copy(each, archive);
                archive.closeEntry();
            }
        }
        return jar;
    }

    /** The jar, with a signature beside it. */
    Path signedBy(KeyPair publisher) throws Exception {
        return sign(unsigned(), publisher, Instant.now().plus(VALID));
    }

    static Path sign(Path jar, KeyPair publisher, Instant notAfter) throws Exception {
        PluginSignature signature = PluginSignature.sign(PluginArchive.read(jar), publisher, notAfter);
        Files.write(PluginSignature.fileOf(jar), signature.toJson());
        return jar;
    }

    /** A publisher of the test, whom the user of that state directory trusts with names. */
    static KeyPair trusted(Path stateDir, Path folder, String name, String... prefixes) throws Exception {
        Files.createDirectories(folder);
        Path file = folder.resolve(name + ".key");
        String key = PublisherKey.generate(file);
        TrustStore.open(stateDir, (act, what) -> {}).add(name, key, List.of(prefixes), false, Instant.now());
        return PublisherKey.read(file);
    }

    /** A publisher of new versions of our own parts. */
    static KeyPair trustedHouse(Path stateDir, Path folder) throws Exception {
        Files.createDirectories(folder);
        Path file = folder.resolve("house.key");
        String key = PublisherKey.generate(file);
        TrustStore.open(stateDir, (act, what) -> {}).add("house", key, List.of("im.parley"), true, Instant.now());
        return PublisherKey.read(file);
    }

    /** The distribution's own jar under another version. */
    static Path ofDistribution(Path folder, String symbolicName, String version, KeyPair publisher) throws Exception {
        Path original;
        try (Stream<Path> bundles = Files.list(Path.of(System.getProperty("parley.dist"), "bundles"))) {
            original = bundles.filter(each -> each.getFileName().toString().startsWith(symbolicName + "-"))
                    .findFirst()
                    .orElseThrow();
        }
        Path jar = folder.resolve(symbolicName + "-" + version + ".jar");
        try (JarInputStream in = new JarInputStream(Files.newInputStream(original))) {
            Manifest manifest = in.getManifest();
            manifest.getMainAttributes().putValue("Bundle-Version", version);
            try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
                for (JarEntry entry = in.getNextJarEntry(); entry != null; entry = in.getNextJarEntry()) {
                    out.putNextEntry(new JarEntry(entry.getName()));
                    in.transferTo(out);
                    out.closeEntry();
                }
            }
        }
        return sign(jar, publisher, Instant.now().plus(VALID));
    }

    private Path compiled() throws IOException {
        Path place = Files.createTempDirectory(folder, "gate");
        Path source = place.resolve("Gate.java");
        Files.writeString(source, source());
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        String path = placeOf(Provider.class) + File.pathSeparator + placeOf(Bundle.class);
        int result = compiler.run(
                null,
                null,
                null,
                "--release",
                "17",
                "-proc:none",
                "-Xlint:none",
                "-cp",
                path,
                "-d",
                place.toString(),
                source.toString());
        if (result != 0) {
            throw new IOException("the plugin does not compile");
        }
        return place;
    }

    private static Path placeOf(Class<?> type) {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().getPath());
    }

    private String source() {
        return """
                package %s;

                import im.parley.api.event.Event;
                import im.parley.api.lifecycle.Kind;
                import im.parley.api.lifecycle.Provider;
                import im.parley.api.lifecycle.ProviderContext;
                import im.parley.api.lifecycle.ProviderException;
                import im.parley.api.policy.Client;
                import im.parley.api.policy.EventPolicy;
                import im.parley.api.policy.Verdict;

                public final class Gate implements Provider<EventPolicy>, EventPolicy {
                    @Override
                    public EventPolicy open(ProviderContext context) throws ProviderException {
                        %s
                        return new Gate();
                    }

                    @Override
                    public Verdict judge(Event event, Client client) {
                        return event.kind() == %d
                                ? Verdict.refuse(Verdict.Prefix.BLOCKED, "not through this gate")
                                : Verdict.accept();
                    }

                    %s

                    /** To whoever made the plugin; no fence of Java keeps a plugin from writing a file. */
                    static void report(String line) {
                        try {
                            java.nio.file.Files.writeString(java.nio.file.Path.of("%s"), line + "\\n",
                                    java.nio.file.StandardOpenOption.CREATE,
                                    java.nio.file.StandardOpenOption.APPEND);
                        } catch (java.io.IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    }
                }
                """.formatted(symbolicName, body, refusedKind, second(), reportFile());
    }

    /** Only where it is wanted, for it needs the framework's package. */
    private String second() {
        return beginning.isEmpty() ? "" : """
                    public void begin(org.osgi.framework.BundleContext context) throws Exception {
                        %s
                    }

                    public void found(org.osgi.framework.ServiceReference<?> reference) {
                        report("found " + ((String[]) reference.getProperty("objectClass"))[0]);
                    }
                """.formatted(beginning);
    }

    private String component() {
        return """
                <?xml version="1.0" encoding="UTF-8"?>
                <scr:component xmlns:scr="http://www.osgi.org/xmlns/scr/v1.3.0" name="%s" configuration-policy="require">
                  <property name="parley.slot" type="String" value="policy.limits"/>
                  <service><provide interface="im.parley.api.lifecycle.Provider"/></service>
                  <implementation class="%s.Gate"/>
                </scr:component>
                """.formatted(symbolicName, symbolicName);
    }
}
