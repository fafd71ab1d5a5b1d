package im.parley.checks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every bundle's manifest must and must not say. */
class ManifestsTest {
    private static final Pattern EXPORTED = Pattern.compile("(?:^|,)(im\\.parley[\\w.]*)(?=[;,]|$)");

    private static final Pattern MINOR_RANGE = Pattern.compile("version=\"\\[0\\.(\\d+),0\\.(\\d+)\\)\"");

    static List<Path> bundles() {
        return House.bundles();
    }

    @ParameterizedTest
    @MethodSource("bundles")
    void namesItselfAfterItsRootPackageAndSaysItsPurpose(Path classes) throws IOException {
        Attributes manifest = manifest(classes);
        String name = manifest.getValue("Bundle-SymbolicName");
        assertNotNull(name);
        assertTrue(name.startsWith("im.parley."), name);
        assertTrue(
                Files.isDirectory(classes.resolve(name.replace('.', '/'))), name + " has no package of its own name");
        String purpose = manifest.getValue("Bundle-Description");
        assertNotNull(purpose, name + " has no sentence of purpose");
        assertTrue(purpose.endsWith("."), name + ": the purpose is a sentence");
        assertEquals("Apache-2.0", manifest.getValue("Bundle-License").split(";")[0]);
    }

    @ParameterizedTest
    @MethodSource("bundles")
    void hasNoForbiddenHeader(Path classes) throws IOException {
        Attributes manifest = manifest(classes);
        for (String header : List.of(
                "Bundle-Activator", "Require-Bundle", "DynamicImport-Package", "Fragment-Host", "Bundle-NativeCode")) {
            assertNull(manifest.getValue(header), manifest.getValue("Bundle-SymbolicName") + " has " + header);
        }
    }

    @ParameterizedTest
    @MethodSource("bundles")
    void importsItsOwnWorldWithARange(Path classes) throws IOException {
        String imports = manifest(classes).getValue("Import-Package");
        if (imports == null) {
            return;
        }
        for (String clause : clauses(imports)) {
            if (clause.startsWith("im.parley.")) {
                Matcher range = MINOR_RANGE.matcher(clause);
                assertTrue(range.find(), "not a range of one minor version: " + clause);
                assertEquals(
                        Integer.parseInt(range.group(1)) + 1,
                        Integer.parseInt(range.group(2)),
                        "before 1.0 each minor version may break: " + clause);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("bundles")
    void carriesNoPackageOfAnotherBundle(Path classes) throws IOException {
        String own = manifest(classes).getValue("Bundle-SymbolicName").replace('.', '/');
        try (Stream<Path> files = Files.walk(classes.resolve("im/parley"))) {
            List<Path> foreign = files.filter(file -> file.toString().endsWith(".class"))
                    .map(classes::relativize)
                    .filter(file -> !file.startsWith(own))
                    .toList();
            assertEquals(List.of(), foreign, own + " embeds classes of another bundle");
        }
    }

    @ParameterizedTest
    @MethodSource("bundles")
    void hasNoComponentDescriptionLeftOver(Path classes) throws IOException {
        Path descriptions = classes.resolve("OSGI-INF");
        Set<String> found = new HashSet<>();
        if (Files.isDirectory(descriptions)) {
            try (Stream<Path> files = Files.list(descriptions)) {
                files.filter(file -> file.toString().endsWith(".xml"))
                        .forEach(file -> found.add("OSGI-INF/" + file.getFileName()));
            }
        }
        String named = manifest(classes).getValue("Service-Component");
        Set<String> components = named == null ? Set.of() : new HashSet<>(List.of(named.split(",")));
        assertEquals(components, found, "run a clean build: a component that was renamed left its description");
    }

    @Test
    void providersExportNothing() throws IOException {
        for (Path classes : House.bundles()) {
            if (classes.toString().contains("/bundles/providers/")) {
                assertNull(
                        manifest(classes).getValue("Export-Package"),
                        manifest(classes).getValue("Bundle-SymbolicName") + " exports a package");
            }
        }
    }

    @Test
    void eachPackageIsExportedByExactlyOneBundle() throws IOException {
        Map<String, String> owner = new HashMap<>();
        Set<String> api = new HashSet<>();
        for (Path classes : House.bundles()) {
            Attributes manifest = manifest(classes);
            String name = manifest.getValue("Bundle-SymbolicName");
            String exports = manifest.getValue("Export-Package");
            if (exports == null) {
                continue;
            }
            for (String clause : clauses(exports)) {
                Matcher matcher = EXPORTED.matcher(clause);
                assertTrue(matcher.find(), name + " exports a foreign package: " + clause);
                String other = owner.put(matcher.group(1), name);
                assertNull(other, matcher.group(1) + " is exported by " + name + " and by " + other);
                if (matcher.group(1).startsWith("im.parley.api.")) {
                    assertEquals("im.parley.api", name);
                    api.add(matcher.group(1));
                }
                assertTrue(!matcher.group(1).endsWith(".internal"), name + " exports its inside");
            }
        }
        assertTrue(api.size() >= 7, "the API's packages were not read: " + api);
    }

    /** Splits a header at the commas between clauses, not at those inside quotes. */
    private static List<String> clauses(String header) {
        return List.of(header.split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"));
    }

    private static Attributes manifest(Path classes) throws IOException {
        try (InputStream in = Files.newInputStream(classes.resolve("META-INF/MANIFEST.MF"))) {
            return new Manifest(in).getMainAttributes();
        }
    }
}
