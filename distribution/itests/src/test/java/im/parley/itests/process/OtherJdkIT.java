package im.parley.itests.process;

import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.Assume;
import org.junit.Test;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;

/** The same distribution on the newest JDK that lies beside the one of this build. */
public class OtherJdkIT {
    private static final Pattern VERSION = Pattern.compile("JAVA_VERSION=\"(\\d+)");

    @Test
    public void theDistributionRunsOnANewerJdkToo() throws Exception {
        Path newest = newest();
        if (newest == null) {
            String notice = "SKIPPED: no newer JDK lies beside this one, so nothing is tested on it";
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(notice);
            }
            System.out.println(notice);
            Assume.assumeTrue(notice, false);
        }
        String before = System.setProperty(DistributionNode.JAVA, String.valueOf(newest));
        try {
            Result result = JUnitCore.runClasses(
                    FirstConversationIT.class, NostrToolsIT.class, RelaySocketIT.class, SwapCrashIT.class);
            System.out.println(result.getRunCount() + " tests again on Java " + version(newest) + ": "
                    + result.getFailureCount() + " failed");
            assertTrue(result.getFailures().toString(), result.wasSuccessful());
            assertTrue(result.getRunCount() > 15);
        } finally {
            if (before == null) {
                System.clearProperty(DistributionNode.JAVA);
            } else {
                System.setProperty(DistributionNode.JAVA, before);
            }
        }
    }

    private static Path newest() throws IOException {
        Path here = Path.of(System.getProperty("java.home"));
        Path newest = null;
        try (DirectoryStream<Path> homes = Files.newDirectoryStream(here.resolveSibling("."))) {
            for (Path home : homes) {
                if (Files.isExecutable(home.resolve("bin/java"))
                        && version(home) > version(newest == null ? here : newest)) {
                    newest = home;
                }
            }
        }
        return newest;
    }

    private static int version(Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isReadable(release)) {
            return 0;
        }
        Matcher matcher = VERSION.matcher(Files.readString(release));
        return Optional.of(matcher)
                .filter(Matcher::find)
                .map(found -> Integer.parseInt(found.group(1)))
                .orElse(0);
    }
}
