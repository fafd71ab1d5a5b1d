package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PluginArchiveTest {
    private static final String CLASS = "com/acme/chess/Chess.class";

    @TempDir
    Path dir;

    static PluginForge plugin() {
        return PluginForge.plugin("com.acme.chess", "1.2");
    }

    private static void refused(String code, byte[] jar) {
        LauncherException e = assertThrows(LauncherException.class, () -> quickly(jar));
        assertEquals(code, e.code(), e.getMessage());
        assertTrue(e.why().length() < 600 && e.why().chars().noneMatch(Character::isISOControl), e.why());
    }

    /** Two seconds of work, however busy the machine is. */
    private static PluginArchive quickly(byte[] jar) throws LauncherException {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long begun = threads.getCurrentThreadCpuTime();
        try {
            return PluginArchive.of(jar);
        } finally {
            long millis = (threads.getCurrentThreadCpuTime() - begun) / 1_000_000;
            assertTrue(millis < 2_000, "it took " + millis + " ms of CPU");
        }
    }

    private static void bad(PluginForge forge) {
        refused("plugin.bad-archive", forge.jar());
    }

    private static void denied(PluginForge forge) {
        refused("plugin.manifest-denied", forge.jar());
    }

    @Test
    void aPluginIsWhatItsManifestSays() throws Exception {
        byte[] jar = plugin().header("Parley-Services", "im.parley.api.lifecycle.Egress, com.acme.Board")
                .header("Parley-Hosts", "chess.acme.com:443,*.acme.org,127.0.0.1")
                .header("Parley-Files", "own")
                .jar();
        PluginArchive archive = PluginArchive.of(jar);
        assertEquals("com.acme.chess", archive.bsn());
        assertEquals("1.2.0", archive.version());
        assertEquals(Hashes.sha256(jar), archive.sha256());
        assertEquals(
                new Capabilities(
                        List.of("com.acme.Board", "im.parley.api.lifecycle.Egress"),
                        List.of("*.acme.org", "127.0.0.1", "chess.acme.com:443"),
                        Capabilities.Files.OWN,
                        false),
                archive.capabilities());
        assertEquals("2", archive.manifest().get("bundle-manifestversion"));
        assertEquals(
                new Capabilities(List.of(), List.of(), Capabilities.Files.NONE, false),
                PluginArchive.of(plugin().jar()).capabilities());
    }

    @Test
    void whatJarToolsMakeIsTaken() throws Exception {
        Manifest manifest = new Manifest(new java.io.ByteArrayInputStream(plugin().manifestText()));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            jar.putNextEntry(new ZipEntry("com/"));
            jar.putNextEntry(new ZipEntry("com/acme/"));
            jar.putNextEntry(new ZipEntry("com/acme/Empty.class"));
            jar.putNextEntry(new ZipEntry("com/acme/Chess.class"));
            jar.write(new byte[100_000]);
        }
        assertEquals("com.acme.chess", PluginArchive.of(bytes.toByteArray()).bsn());
    }

    /** Every entry of ours is one of Java's, with the same content. */
    @Test
    void javaReadsTheSame() throws Exception {
        Path file = dir.resolve("a.jar");
        Files.write(file, plugin().with("x/y.txt", "text").jar());
        ZipWalk walk = ZipWalk.of(Files.readAllBytes(file), "It", new ZipWalk.Budget());
        try (JarFile jar = new JarFile(file.toFile())) {
            assertEquals(walk.names(), jar.stream().map(ZipEntry::getName).toList());
            for (String name : walk.names()) {
                try (InputStream in = jar.getInputStream(jar.getEntry(name))) {
                    assertArrayEquals(in.readAllBytes(), walk.content(name));
                }
            }
            assertEquals(
                    PluginArchive.read(file).manifest().get("Import-Package"),
                    jar.getManifest().getMainAttributes().getValue("Import-Package"));
        }
    }

    // ---- PL-04 ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../x",
                "a/../../x",
                "/etc/x",
                "C:\\x",
                "C:/x",
                "a\\b",
                "..",
                "a//b",
                "./a",
                "a/.",
                "a\nb",
                "//host/x",
                "/"
            })
    void PL_04_namesThatLeadElsewhereAreRefused(String name) {
        bad(plugin().with(name, "x"));
    }

    @ParameterizedTest
    @CsvSource({"0120777", "0060644", "0020644", "0010644", "0140644", "0040755"})
    void PL_04_linksAndDevicesAreRefused(String mode) {
        PluginForge.Entry entry = new PluginForge.Entry("link", "/etc/passwd".getBytes(StandardCharsets.UTF_8));
        entry.mode = Integer.parseInt(mode, 8);
        bad(plugin().with(entry));
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../lib.jar", "/lib.jar", "lib.jar", ".,lib", "a/../lib.jar"})
    void PL_04_aClassPathThatIsNotInTheFileIsRefused(String classPath) {
        bad(plugin().header("Bundle-ClassPath", classPath));
    }

    @Test
    void PL_04_aBombIsRefusedBeforeItGoesOff() {
        PluginForge.Entry zeros = new PluginForge.Entry("zeros", new byte[30 << 20]);
        bad(plugin().with(zeros));
        // As many as fit below the ratio, over the total.
        Random random = new Random(4);
        byte[] block = new byte[300_000];
        random.nextBytes(block);
        byte[] large = new byte[30 << 20];
        System.arraycopy(block, 0, large, 0, block.length);
        PluginForge forge = plugin();
        for (int i = 0; i < 5; i++) {
            forge.with(new PluginForge.Entry("large" + i, large));
        }
        bad(forge);
        // Within, one in another, as 42.zip has them.
        byte[] inner = PluginForge.plugin("com.acme.inner", "1").with(zeros).jar();
        PluginForge.Entry nested = new PluginForge.Entry("lib/inner.jar", inner);
        nested.deflated = false;
        bad(plugin().with(nested).header("Bundle-ClassPath", ".,lib/inner.jar"));
    }

    /** What lies on the class path spends from the same budget. */
    @Test
    void PL_04_jarsInItCountAsMuchAsTheFileItself() throws Exception {
        Random random = new Random(5);
        byte[] block = new byte[300_000];
        random.nextBytes(block);
        byte[] large = new byte[25 << 20];
        System.arraycopy(block, 0, large, 0, block.length);
        PluginForge forge = plugin();
        StringBuilder path = new StringBuilder(".");
        byte[] inner = PluginForge.plugin("com.acme.inner", "1")
                .with(new PluginForge.Entry("large", large))
                .jar();
        for (int i = 0; i < 6; i++) {
            PluginForge.Entry nested = new PluginForge.Entry("lib/" + i + ".jar", inner);
            nested.deflated = false;
            forge.with(nested);
            path.append(",lib/").append(i).append(".jar");
        }
        byte[] harmless = forge.jar();
        assertEquals("com.acme.chess", PluginArchive.of(harmless).bsn(), "jars that nobody opens are data");
        bad(forge.header("Bundle-ClassPath", path.toString()));
    }

    @Test
    void PL_04_declaredSizesThatAreNotTrueAreRefused() {
        for (long size : new long[] {0, 349, 351, 32 << 20, 0xFFFF_FFFEL, 0xFFFF_FFFFL}) {
            PluginForge.Entry entry =
                    new PluginForge.Entry("big", "a class".repeat(50).getBytes(StandardCharsets.UTF_8));
            entry.size = size;
            bad(plugin().with(entry));
        }
    }

    @Test
    void PL_04_tooManyEntriesAreRefusedAndAsManyAsAllowedAreQuick() throws Exception {
        PluginForge forge = plugin();
        for (int i = 0; i < ZipWalk.MAX_ENTRIES - 2; i++) {
            forge.with("d/" + i, "x");
        }
        byte[] most = forge.jar();
        quickly(most);
        bad(forge.with("d/last", "x"));
        PluginForge deep = plugin();
        for (int i = 0; i < ZipWalk.MAX_ENTRIES - 2; i++) {
            deep.with("a23456789bc/".repeat(39) + i, "");
        }
        byte[] deepest = deep.jar();
        quickly(deepest);
        bad(plugin().with("a/".repeat(40) + "x", ""));
        PluginForge wide = plugin();
        StringBuilder path = new StringBuilder(".");
        for (int i = 0; i < 200; i++) {
            path.append(",com/acme/").append(i);
            wide.with("com/acme/" + i + "/x", "");
        }
        bad(wide.header("Bundle-ClassPath", path.toString()));
        for (int i = 0; i < 45_000; i++) {
            forge.with("e/" + i, "");
        }
        bad(forge);
        // A million can only be declared as zip64.
        forge = plugin();
        forge.count = 0xFFFF;
        bad(forge);
    }

    @Test
    void PL_04_nothingIsWritten() throws Exception {
        Path file = dir.resolve("a.jar");
        Files.write(file, plugin().with("../../x", "x").jar());
        assertThrows(LauncherException.class, () -> PluginArchive.read(file));
        try (Stream<Path> files = Files.walk(dir)) {
            assertEquals(List.of(dir, file), files.sorted().toList());
        }
    }

    @Test
    void PL_04_aFileThatIsNoneOrTooLargeIsRefused() throws Exception {
        refused("plugin.bad-archive", new byte[0]);
        refused("plugin.bad-archive", new byte[22]);
        refused("plugin.bad-archive", "PK\u0003\u0004".repeat(100).getBytes(StandardCharsets.UTF_8));
        refused("plugin.bad-archive", new byte[PluginArchive.MAX_BYTES + 1]);
        Path directory = Files.createDirectory(dir.resolve("d.jar"));
        assertEquals(
                "plugin.not-read",
                assertThrows(LauncherException.class, () -> PluginArchive.read(directory))
                        .code());
        assertEquals(
                "plugin.not-read",
                assertThrows(LauncherException.class, () -> PluginArchive.read(dir.resolve("none")))
                        .code());
    }

    // ---- what PL-02 forges, looked at without a signature ----

    @Test
    void PL_02_noByteHidesBeforeBetweenOrBehindTheEntries() {
        PluginForge forge = plugin();
        forge.before = "#!/bin/sh\n".getBytes(StandardCharsets.UTF_8);
        bad(forge);
        forge = plugin();
        forge.between = new byte[1];
        bad(forge);
        forge = plugin();
        forge.after = new byte[1];
        bad(forge);
        // A whole zip before, as in a file that is two.
        forge = plugin();
        forge.before = plugin().jar();
        bad(forge);
        byte[] jar = plugin().jar();
        byte[] commented = Arrays.copyOf(jar, jar.length + 4);
        commented[jar.length - 2] = 4;
        refused("plugin.bad-archive", commented);
    }

    @Test
    void PL_02_entriesThatReadersTakeForDifferentOnesAreRefused() {
        bad(plugin().with(CLASS, "another"));
        bad(plugin().with("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n"));
        bad(plugin().with("meta-inf/manifest.mf", "Manifest-Version: 1.0\r\n\r\n"));
        bad(plugin().with(CLASS + "/", ""));
        bad(plugin().with(CLASS + "/x", "x"));
        PluginForge.Entry renamed = new PluginForge.Entry("a", new byte[] {1});
        renamed.localName = new byte[] {'b'};
        bad(plugin().with(renamed));
        PluginForge.Entry resized = new PluginForge.Entry("a", new byte[] {1});
        resized.localSize = 2L;
        bad(plugin().with(resized));
        for (int flag : new int[] {1, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 13, 1 << 15}) {
            PluginForge.Entry flagged = new PluginForge.Entry("a", new byte[] {1});
            flagged.flags = flag;
            bad(plugin().with(flagged));
        }
        for (byte[] extra : new byte[][] {{1, 0, 0, 0}, {0x75, 0x70, 0, 0}, {9, 9, 9}, {9, 9, 1, 0}}) {
            PluginForge.Entry extended = new PluginForge.Entry("a", new byte[] {1});
            extended.extra = extra;
            bad(plugin().with(extended));
        }
        PluginForge.Entry notUtf8 = new PluginForge.Entry("a", new byte[] {1});
        notUtf8.name = new byte[] {(byte) 0xC0, (byte) 0xAF};
        bad(plugin().with(notUtf8));
        PluginForge.Entry padded = new PluginForge.Entry("a", new byte[] {1, 2, 3});
        padded.data = Arrays.copyOf(PluginForge.deflated(padded.content), 20);
        bad(plugin().with(padded));
    }

    // ---- PL-16 ----

    @Test
    void PL_16_headersThatReachOutOfAPluginAreDenied() {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Fragment-Host", "im.parley.vault");
        headers.put("fragment-host", "system.bundle; extension:=framework");
        headers.put("DynamicImport-Package", "*");
        headers.put("Require-Bundle", "system.bundle");
        headers.put("Bundle-Activator", "com.acme.Activator");
        headers.put("ExtensionBundle-Activator", "com.acme.Activator");
        headers.put("Provide-Capability", "osgi.extender;osgi.extender=\"osgi.component\";version:Version=\"9\"");
        headers.put("Require-Capability", "osgi.wiring.package;filter:=\"(osgi.wiring.package=im.parley.vault)\"");
        headers.put("Bundle-NativeCode", "x.txt;osname=Linux");
        headers.put("Bundle-ManifestVersion", "1");
        headers.forEach((name, value) -> denied(plugin().header(name, value)));
        PluginForge old = plugin();
        old.manifest.remove("Bundle-ManifestVersion");
        denied(old);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "im.parley.vault",
                "im.parley",
                "im.parley.apix",
                "im.parley.api.policy;im.parley.slot.internal;version=\"0\"",
                "im.parley.vault;resolution:=optional",
                "java.util,org.osgi.framework.hooks.service",
                "org.osgi.framework.launch",
                "org.osgi.service.url",
                "org.apache.felix.framework",
                "a;b=\"x,im.parley.vault",
                "a,,b",
                "a\\,im.parley.vault",
                ";a=b"
            })
    void PL_16_importsOfAnythingButTheApiAreDenied(String imports) {
        denied(plugin().header("Import-Package", imports));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"im.parley.api.policy", "im.parley.vault", "org.slf4j;version=99", "com.acme", "com.acme.chessx"
            })
    void PL_16_packagesOfOthersAreNotExported(String exports) {
        denied(plugin().header("Export-Package", "com.acme.chess.api," + exports));
    }

    @Test
    void PL_16_whatAPluginMayDoItMay() throws Exception {
        PluginArchive.of(plugin().header("Export-Package", "com.acme.chess.api;version=\"1.0\",com.acme.chess")
                .header(
                        "Provide-Capability",
                        "osgi.service;objectClass:List<String>=\"im.parley.api.lifecycle.Provider\"")
                .header(
                        "Require-Capability",
                        "osgi.extender;filter:=\"(&(osgi.extender=osgi.component)(version>=1.5.0)(!(version>=2.0.0)))\"")
                .header("Bundle-ClassPath", ".,com/")
                .jar());
    }

    /** Only a publisher with that prefix can sign it. */
    @Test
    void aNewVersionOfOneOfOurPartsBringsItsOwnClassesAndNoOthers() throws Exception {
        String own = "im/parley/storage/derby/DerbyStore.class";
        PluginArchive.of(PluginForge.plugin("im.parley.storage.derby", "2")
                .header("Import-Package", "im.parley.protocol")
                .with(own, "x")
                .jar());
        denied(PluginForge.plugin("im.parley.storage.derby", "2").with("im/parley/vault/Vault.class", "x"));
        denied(PluginForge.plugin("im.parley.storage", "2").with("x/" + own, "x"));
        denied(PluginForge.plugin("im.parley.storage.der", "2").with(own, "x"));
        denied(PluginForge.plugin("im.parleyx", "2").with(own, "x"));
        denied(PluginForge.plugin("im.parleyx", "2").header("Import-Package", "im.parley.protocol"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "im/parley/vault/Vault.class",
                "META-INF/versions/17/im/parley/vault/Vault.class",
                "lib/im/parley/api/x/X.class",
                "META-INF/versions/9/OSGI-INF/MANIFEST.MF",
                "meta-inf/versions/9/osgi-inf/manifest.mf",
                "linux/libx.so",
                "x.DLL",
                "libx.so.1.2"
            })
    void PL_16_classesOfOursSecondManifestsAndUndeclaredMachineCodeAreDenied(String name) {
        denied(plugin().with(name, "x"));
        byte[] inner = PluginForge.plugin("com.acme.inner", "1").with(name, "x").jar();
        denied(plugin().with(new PluginForge.Entry("l.jar", inner)).header("Bundle-ClassPath", "l.jar"));
    }

    @Test
    void PL_16_machineCodeThatIsDeclaredIsTaken() throws Exception {
        assertTrue(PluginArchive.of(plugin().with("linux/libx.so", "x")
                        .header("Parley-Native", "yes")
                        .jar())
                .capabilities()
                .nativeCode());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "chess",
                "com.acme.chess,com.acme.other",
                "com.acme.chess;com.acme.other",
                "com..chess",
                "com.acme.chess ;",
                "com.\u0430cme.chess"
            })
    void PL_16_aNameIsOneNameOfTwoParts(String bsn) {
        denied(plugin().header("Bundle-SymbolicName", bsn));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "1.2.3.4.5", "-1", "1.0.0.a b", "99999999999"})
    void PL_16_aVersionIsAVersion(String version) {
        denied(plugin().header("Bundle-Version", version));
    }

    @ParameterizedTest
    @CsvSource(
            value = {
                "Parley-Hosts|*:443",
                "Parley-Hosts|*.com",
                "Parley-Hosts|https://acme.com",
                "Parley-Hosts|acme.com:0",
                "Parley-Hosts|acme.com:65536",
                "Parley-Hosts|ACME.com",
                "Parley-Hosts|a,,b",
                "Parley-Services|*",
                "Parley-Services|Vault",
                "Parley-Files|all",
                "Parley-Files|OWN",
                "Parley-Native|true"
            },
            delimiter = '|')
    void PL_16_declarationsThatMeanNothingAreDenied(String header, String value) {
        denied(plugin().header(header, value));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Bundle-Version: 2\r\n",
                "bundle-version: 2\r\n",
                " continued\u0000\r\n",
                "Fragment-Host : x\r\n",
                "Fragment-Host:x\r\n",
                "X: a\rFragment-Host: x\r\n",
                "X: a\u000bb\r\n",
                "no header\r\n",
                "X: y"
            })
    void PL_16_aManifestThatReadersUnderstandDifferentlyIsDenied(String more) throws IOException {
        byte[] text = plugin().manifestText();
        ByteArrayOutputStream odd = new ByteArrayOutputStream();
        odd.write(text, 0, text.length - 2);
        odd.writeBytes(more.getBytes(StandardCharsets.UTF_8));
        PluginForge forge = plugin();
        forge.manifest.clear();
        forge.with(new PluginForge.Entry("META-INF/MANIFEST.MF", odd.toByteArray()));
        denied(forge);
    }
}
