package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.assemble.SealDistribution;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SealDistributionTest {
    @TempDir
    Path temp;

    @Test
    void everyFileIsListedAndEqualDirectoriesHaveEqualLocks() throws Exception {
        Path home = FakeDistribution.in(temp);
        byte[] first = Files.readAllBytes(home.resolve(DistributionLock.FILE));
        SealDistribution.seal(home, "1.2.3");
        assertArrayEquals(first, Files.readAllBytes(home.resolve(DistributionLock.FILE)));
        DistributionLock lock = DistributionLock.read(home);
        assertEquals("1.2.3", lock.version());
        assertEquals(3, lock.jars().size());
        assertEquals(3, lock.features().size());
        DistributionLock.Jar part = lock.jars().stream()
                .filter(jar -> jar.file().equals(FakeDistribution.BUNDLE))
                .findFirst()
                .orElseThrow();
        assertEquals("x.part", part.bsn());
        assertEquals(20, part.startLevel());
        assertEquals(Hashes.sha256(Files.readAllBytes(home.resolve(FakeDistribution.BUNDLE))), part.sha256());
    }

    @Test
    void bundleThatNoFeatureNamesIsRefused() throws Exception {
        Path home = FakeDistribution.in(temp);
        FakeDistribution.jar(home.resolve("bundles/stray-1.jar"), "x.stray");
        IOException refused = assertThrows(IOException.class, () -> SealDistribution.seal(home, "1"));
        assertTrue(String.valueOf(refused.getMessage()).contains("stray-1.jar"));
    }

    @Test
    void namedBundleThatIsNotThereIsRefused() throws Exception {
        Path home = FakeDistribution.in(temp);
        Files.delete(home.resolve("bundles/other-2.jar"));
        IOException refused = assertThrows(IOException.class, () -> SealDistribution.seal(home, "1"));
        assertTrue(String.valueOf(refused.getMessage()).contains("g:other:2"));
    }

    @Test
    void twoStartLevelsForOneBundleAreRefused() throws Exception {
        Path home = FakeDistribution.in(temp);
        FakeDistribution.feature(home, "personal", "{\"id\":\"g:part:1\",\"start-level\":21}");
        assertThrows(IOException.class, () -> SealDistribution.seal(home, "1"));
    }
}
