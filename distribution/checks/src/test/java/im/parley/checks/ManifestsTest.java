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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every bundle's manifest must and must not say. */
class ManifestsTest {
    private static final Pattern EXPORTED = Pattern.compile("(?:^|,)(im\\.parley[\\w.]*)(?=[;,]|$)");

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
                assertTrue(clause.contains("version=\"["), "no version range: " + clause);
            }
        }
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
