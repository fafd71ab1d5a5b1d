package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.LoggerContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class NodeLoggingTest {
    @TempDir
    Path temp;

    @AfterEach
    void quiet() {
        ((LoggerContext) LoggerFactory.getILoggerFactory()).reset();
    }

    @Test
    void oneEventIsOneLineAndTheFileIsTheOwnersAlone() throws Exception {
        Path file = temp.resolve("parley.log");
        NodeLogging.toFile(file);
        LoggerFactory.getLogger("x").info("{}", "a\r\n2026 ERROR forged\u2028\u001b[31m");
        List<String> lines = Files.readAllLines(file);
        assertEquals(1, lines.size());
        assertTrue(lines.get(0).contains("a  2026 ERROR forged"), lines.get(0));
        assertTrue(lines.get(0).chars().noneMatch(c -> c < 0x20), lines.get(0));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void osgiLogReachesSlf4jAndErrorsAreRemembered() throws Exception {
        Path file = temp.resolve("parley.log");
        NodeLogging.toFile(file);
        LogBridge bridge = new LogBridge();
        org.osgi.service.log.Logger logger = bridge.getLogger("im.parley.some");
        assertTrue(logger.isInfoEnabled());
        logger.debug("unseen");
        logger.warn("two {} and {}", 1, "b");
        logger.error("no {}", "disk", new IllegalStateException("outer", new java.io.IOException("full")));
        bridge.log(org.osgi.service.log.LogService.LOG_ERROR, "old way");
        String text = Files.readString(file);
        assertTrue(text.contains("WARN  im.parley.some two 1 and b"), text);
        assertTrue(text.contains("no disk") && !text.contains("unseen"), text);
        assertEquals(List.of("im.parley.some: no disk (java.io.IOException: full)", "osgi: old way"), bridge.errors());
    }
}
