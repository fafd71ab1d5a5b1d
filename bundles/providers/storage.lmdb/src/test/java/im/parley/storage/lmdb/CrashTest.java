package im.parley.storage.lmdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.testkit.Seeds;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Kills a writing process with SIGKILL again and again, and asks the next one what is left. */
@Timeout(600)
class CrashTest {
    private static final int EVENT_CYCLES = Integer.getInteger("parley.crash.cycles", 10);
    private static final int RECORD_CYCLES = Math.max(1, EVENT_CYCLES / 4);

    @TempDir
    Path home;

    @Test
    void DB_01_noAcknowledgedEventIsLost() throws Exception {
        cycles("events", EVENT_CYCLES);
    }

    @Test
    void DB_01_noAcknowledgedRecordIsLost() throws Exception {
        cycles("records", RECORD_CYCLES);
    }

    @Test
    void DB_09_oneProcessAtATimeAndAStaleLockOpens() throws Exception {
        try (Child holder = new Child("events", home, 0, "write")) {
            holder.awaitAcks(3);
            for (int i = 0; i < 2; i++) {
                LmdbEngine engine = new LmdbEngine();
                try {
                    ProviderException refused = assertThrows(
                            ProviderException.class,
                            () -> LmdbEventStore.open(engine, Homes.context(home), Homes.MAP_BYTES, 256));
                    assertEquals(Kind.UNAVAILABLE, refused.kind());
                    assertEquals("store.locked", refused.code());
                    assertTrue(refused.getMessage().contains("another process"), refused.getMessage());
                } finally {
                    engine.close();
                }
            }
            holder.awaitAcks(3);
            holder.kill();
        }
        assertTrue(home.resolve("data/lock").toFile().exists(), "the lock file should have been left behind");
        LmdbEngine engine = new LmdbEngine();
        LmdbEventStore store = LmdbEventStore.open(engine, Homes.context(home), Homes.MAP_BYTES, 256);
        assertTrue(store.scan(0, 10_000).size() >= 6 * 3);
        store.close();
        engine.close();
    }

    private void cycles(String what, int count) throws Exception {
        RandomGenerator random = Seeds.generator("crash " + what);
        BitSet acked = new BitSet();
        int highest = 0;
        long slowest = 0;
        for (int cycle = 0; cycle <= count; cycle++) {
            boolean last = cycle == count;
            try (Child child = new Child(what, home, highest, last ? "look" : "write")) {
                BitSet lost = (BitSet) acked.clone();
                lost.andNot(child.present);
                assertEquals("{}", lost.toString(), "acknowledged but lost after kill " + cycle);
                slowest = Math.max(slowest, child.openMillis);
                assertTrue(child.openMillis <= 10_000, "opening took " + child.openMillis + " ms");
                if (!last) {
                    child.awaitAcks(1 + random.nextInt(100));
                    child.kill();
                    acked.or(child.present);
                    acked.or(child.acked);
                    // Numbers that were under way may or may not be there; the next process starts beyond them.
                    highest = Math.max(acked.length(), highest) + 100;
                }
            }
        }
        System.out.println("DB-01 " + what + ": " + count + " kills, " + acked.cardinality()
                + " batches acknowledged, 0 lost, slowest opening " + slowest + " ms");
        assertTrue(acked.cardinality() >= count);
    }

    /** A {@link CrashWriter}, already past its report. */
    private static final class Child implements AutoCloseable {
        private final Process process;
        private final BufferedReader lines;
        private final BitSet present = new BitSet();
        private final BitSet acked = new BitSet();
        private final long openMillis;

        Child(String what, Path home, int first, String mode) throws Exception {
            String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
            process = new ProcessBuilder(List.of(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "-XX:+UseSerialGC",
                            "-Xmx256m",
                            "-cp",
                            classPath,
                            CrashWriter.class.getName(),
                            what,
                            home.toString(),
                            Integer.toString(first),
                            mode))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            lines = process.inputReader(StandardCharsets.UTF_8);
            long opened = -1;
            for (String line = next(); !line.equals("ready"); line = next()) {
                if (line.startsWith("open ")) {
                    opened = Long.parseLong(line.substring(5));
                } else if (line.startsWith("present ")) {
                    present.set(Integer.parseInt(line.substring(8)));
                }
            }
            openMillis = opened;
            assertTrue(opened >= 0);
        }

        private String next() throws Exception {
            String line = lines.readLine();
            if (line == null) {
                throw new AssertionError("the process ended by itself with " + process.waitFor());
            }
            return line;
        }

        void awaitAcks(int more) throws Exception {
            for (int i = 0; i < more; i++) {
                take(next());
            }
        }

        private void take(@Nullable String line) {
            if (line != null && line.startsWith("failed")) {
                throw new AssertionError(line);
            }
            if (line != null && line.startsWith("ack ")) {
                acked.set(Integer.parseInt(line.substring(4)));
            }
        }

        /** SIGKILL; what it said before is still read. */
        void kill() throws Exception {
            // Through the handle: Process itself would also close the pipe with what was said last.
            assertTrue(process.toHandle().destroyForcibly());
            process.waitFor();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                // The last line may be cut.
                if (line.matches("ack [0-9]+") && lines.ready()) {
                    take(line);
                }
            }
        }

        @Override
        public void close() throws Exception {
            process.destroyForcibly().waitFor();
            lines.close();
        }
    }
}
