package im.parley.checks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What weakens the JVM that a node runs in is used nowhere: the script, the sources, the build. */
class FlagsTest {
    /** Doors into the JDK that something needs, as {@code module/package=target}. There is none. */
    private static final Set<String> OPENED = Set.of();

    private static final Pattern WEAKENS = Pattern.compile(
            "java\\.security\\.manager|--illegal-access|-Xverify|"
                    + "-XX:[+-]BytecodeVerification|-noverify|--patch-module|-javaagent|-agentlib|-agentpath|"
                    + "-XX:\\+EnableDynamicAgentLoading|jdk\\.attach\\.allowAttachSelf|java\\.rmi\\.server|com\\.sun\\.management");

    private static final Pattern OPENS =
            Pattern.compile("(?:--add-(?:opens|exports)|Add-(?:Opens|Exports):)[= ]*([^\\s\"',]*)");

    private static final Set<String> FOLDERS = Set.of("target", "test", ".git", "node_modules");

    @Test
    void PL_22_noFlagOpensOrWeakensTheJvm() throws IOException {
        List<String> found = new ArrayList<>();
        int files = 0;
        for (Path file : files()) {
            files++;
            String text = Files.readString(file, StandardCharsets.ISO_8859_1);
            Matcher weakens = WEAKENS.matcher(text);
            while (weakens.find()) {
                found.add(House.ROOT.relativize(file) + ": " + weakens.group());
            }
            Matcher opens = OPENS.matcher(text);
            while (opens.find()) {
                if (!OPENED.contains(opens.group(1))) {
                    found.add(House.ROOT.relativize(file) + ": " + opens.group());
                }
            }
        }
        assertTrue(files > 300, files + " files were read");
        assertEquals(List.of(), found);
    }

    @Test
    void PL_22_theLintFindsWhatItLooksFor() {
        assertTrue(WEAKENS.matcher("-Djava.security.manager=allow").find());
        assertTrue(WEAKENS.matcher("--illegal-access=permit").find());
        Matcher opens = OPENS.matcher("\"--add-opens\", \"x\" --add-opens=java.base/java.lang=ALL-UNNAMED");
        assertTrue(opens.find());
        assertTrue(opens.find(), "the second one");
        assertEquals("java.base/java.lang=ALL-UNNAMED", opens.group(1));
    }

    private static List<Path> files() throws IOException {
        List<Path> files = new ArrayList<>();
        files.add(House.ROOT.resolve("parley"));
        try (Stream<Path> all = Files.walk(House.ROOT)) {
            all.filter(FlagsTest::counts).forEach(files::add);
        }
        return files;
    }

    private static boolean counts(Path file) {
        String name = file.getFileName().toString();
        for (Path part : House.ROOT.relativize(file)) {
            if (FOLDERS.contains(part.toString())) {
                return false;
            }
        }
        return Files.isRegularFile(file)
                && (name.endsWith(".java") || name.endsWith(".bnd") || name.endsWith(".xml") || name.endsWith(".json"));
    }
}
