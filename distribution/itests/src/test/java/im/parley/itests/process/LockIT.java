package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** The session lock: what it refuses, and what it leaves in memory. */
public class LockIT {
    /** As long as the vault takes it, so that a search for it cannot hit by accident. */
    private static final String PIN = "31415926535897932384626433832795";

    private static DistributionNode node;

    @BeforeClass
    public static void start() throws Exception {
        node = DistributionNode.create("lock");
        node.start();
        node.json("identity", "new", "alice");
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void lockedSessionsRefuseAndThePinIsNowhere() throws Exception {
        DistributionNode.Result set = node.run(PIN + "\n", "pin", "set", "--stdin");
        assertEquals(set.out() + set.err(), 0, set.exit());
        assertEquals(0, node.run("", "lock").exit());

        DistributionNode.Result refused = node.run("", "inbox");
        assertEquals(refused.err(), 4, refused.exit());
        assertEquals("status answers all the same", 0, node.run("", "status").exit());

        DistributionNode.Result wrong = node.run("00000000000000000000000000000000\n", "unlock", "--stdin");
        assertFalse(wrong.exit() == 0);
        DistributionNode.Result right = node.run(PIN + "\n", "unlock", "--stdin");
        assertEquals(right.out() + right.err(), 0, right.exit());
        assertEquals(0, node.run("", "inbox").exit());
        assertEquals(0, node.run("", "lock").exit());

        Path dump = node.base().resolve("heap.hprof");
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(node.pid()),
                        "GC.heap_dump",
                        "-all",
                        dump.toString())
                .redirectErrorStream(true)
                .redirectOutput(node.base().resolve("jcmd.log").toFile())
                .start();
        assertTrue(jcmd.waitFor(2, TimeUnit.MINUTES));
        assertTrue("a heap dump was made", Files.size(dump) > 1_000_000);
        Canaries pin = new Canaries().text("PIN", PIN);
        assertEquals(List.of(), pin.search(List.of(dump.toFile())));
        Files.delete(dump);

        List<File> files = node.files();
        assertEquals(List.of(), pin.search(files));
        Path planted = node.base().resolve("planted");
        Files.writeString(planted, "....." + PIN + "....");
        assertFalse(
                "the scanner finds it planted in a file",
                pin.search(List.of(planted.toFile())).isEmpty());
        // This process holds the PIN as a constant, so a dump of itself must show it.
        Path own = node.base().resolve("own.hprof");
        java.lang.management.ManagementFactory.getPlatformMXBean(com.sun.management.HotSpotDiagnosticMXBean.class)
                .dumpHeap(own.toString(), true);
        assertFalse(
                "the scanner finds it planted in a dump",
                pin.search(List.of(own.toFile())).isEmpty());
        Files.delete(own);
    }
}
