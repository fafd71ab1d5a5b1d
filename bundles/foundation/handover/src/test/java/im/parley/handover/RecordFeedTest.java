package im.parley.handover;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Mover;
import im.parley.storage.memory.MemoryRecordStore;
import im.parley.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordFeedTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @TempDir
    Path directory = Path.of("unset");

    private final MemoryRecordStore primary = new MemoryRecordStore();
    private final MemoryRecordStore secondary = new MemoryRecordStore();
    private final RecordTap tap = new RecordTap(primary);

    @Test
    void everythingIsCarriedOverWhileFourThreadsWriteAndBothSidesAreEqual() throws Exception {
        RandomGenerator random = Seeds.generator("records");
        for (int i = 0; i < 3_000; i++) {
            put("s" + i % 5, "k" + i, "first " + i);
        }
        ExecutorService executor = Executors.newFixedThreadPool(4);
        AtomicBoolean over = new AtomicBoolean();
        try {
            tap.journal(directory);
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                long seed = random.nextLong();
                writers.add(executor.submit(() -> write(new java.util.SplittableRandom(seed), over)));
            }
            try (Mover.Feed feed = tap.feed(secondary, "")) {
                while (feed.ship() > 100) {
                    // Until few are left.
                }
                Mover.Compared compared = feed.verify(() -> false);
                assertTrue(compared.rows() > 100, compared.toString());
                while (feed.ship() > 100) {
                    // Until few are left.
                }
                assertTrue(tap.hold(SECOND));
                try {
                    feed.settle();
                    assertEquals(all(primary), all(secondary));
                    // What writes now goes to the other one.
                    tap.redirect(new RecordTap(secondary));
                } finally {
                    tap.release();
                }
                over.set(true);
                for (Future<?> writer : writers) {
                    writer.get();
                }
                tap.quiet();
            }
            put("s1", "behind", "the switch");
            assertEquals("the switch", all(secondary).get("s1 " + hex("behind")));
            assertNull(all(primary).get("s1 " + hex("behind")));
            assertEquals(
                    List.of(),
                    primary.open(new SpaceId("s1")).transact(tx -> tx.range(RecordTap.RESERVED, null, false, 10)),
                    "the journal is cleared away");
        } finally {
            over.set(true);
            executor.shutdownNow();
        }
    }

    private boolean write(RandomGenerator random, AtomicBoolean over) throws ProviderException {
        while (!over.get()) {
            String space = "s" + random.nextInt(6);
            int act = random.nextInt(40);
            if (act == 0) {
                tap.destroy(new SpaceId(space));
            } else if (act < 10) {
                byte[] key = bytes("k" + random.nextInt(3_000));
                tap.open(new SpaceId(space)).transact(tx -> {
                    tx.delete(key);
                    return true;
                });
            } else {
                for (int i = 0; i < 3; i++) {
                    put(space, "k" + random.nextInt(4_000), "v" + random.nextInt());
                }
            }
        }
        return true;
    }

    /** Whoever asks how much is left makes writers wait for that much. */
    @Test
    void asManyChangesAreLeftAsAreTold() throws Exception {
        put("s1", "first", "1");
        tap.journal(directory);
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            while (feed.progress().done() < feed.progress().total()) {
                feed.ship();
            }
            for (int i = 0; i < 2_000; i++) {
                put("s" + i % 3, "k" + i, "v");
            }
            long told = feed.ship();
            while (told > 100) {
                told = feed.ship();
            }
            long entries = 0;
            for (SpaceId id : primary.spaces()) {
                entries += primary.open(id)
                        .transact(tx -> tx.range(RecordTap.RESERVED, null, false, 10_000)
                                .size());
            }
            assertTrue(entries <= told, entries + " are left, and " + told + " were told");
        }
    }

    @Test
    void whatAKillLeavesIsCarriedOverByTheNextRun() throws Exception {
        tap.journal(directory);
        try (Mover.Feed feed = tap.feed(secondary, "journal")) {
            put("s1", "a", "1");
            put("s2", "b", "2");
            assertTrue(feed.ship() >= 0);
            put("s1", "a", "3");
            tap.destroy(new SpaceId("s2"));
            put("s1", "c", "4");
        }
        RecordTap again = new RecordTap(primary);
        again.journal(directory);
        try (Mover.Feed feed = again.feed(secondary, "kept")) {
            feed.settle();
        }
        assertEquals(all(primary), all(secondary));
        assertEquals(2, all(secondary).size());
    }

    @Test
    void aDifferenceThatNoChangeExplainsStopsTheSwitch() throws Exception {
        for (int i = 0; i < 100; i++) {
            put("s1", "k" + i, "v" + i);
        }
        tap.journal(directory);
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            while (feed.ship() > 0) {
                // All of it.
            }
            assertTrue(feed.verify(() -> false).equal());
            secondary.open(new SpaceId("s1")).transact(tx -> {
                tx.put(bytes("k7"), bytes("another"));
                return true;
            });
            Mover.Compared compared = feed.verify(() -> false);
            assertFalse(compared.equal());
            assertEquals(1, compared.changed());
            assertEquals(
                    "handover.differs",
                    assertThrows(ProviderException.class, feed::settle).code());
        }
        try (Mover.Feed feed = tap.feed(secondary, "journal")) {
            assertEquals(
                    "handover.cancelled",
                    assertThrows(ProviderException.class, () -> feed.verify(() -> true))
                            .code());
        }
    }

    @Test
    void theReservedRangeIsHiddenAndRefused() throws Exception {
        tap.journal(directory);
        put("s1", "a", "1");
        Space space = tap.open(new SpaceId("s1"));
        assertEquals(
                1,
                space.transact(tx -> tx.range(new byte[] {0}, null, false, 10)).size());
        assertEquals(
                1, space.transact(tx -> tx.range(new byte[] {0}, null, true, 1)).size());
        assertArrayEquals(
                bytes("a"),
                space.transact(tx -> tx.range(new byte[] {0}, null, true, 1))
                        .get(0)
                        .key());
        byte[] reserved = java.util.Arrays.copyOf(RecordTap.RESERVED, 20);
        assertThrows(IllegalArgumentException.class, () -> space.transact(tx -> tx.get(reserved) == null));
        assertThrows(IllegalArgumentException.class, () -> put(space, reserved, bytes("x")));
        assertNotEquals(
                List.of(),
                primary.open(new SpaceId("s1")).transact(tx -> tx.range(RecordTap.RESERVED, null, false, 1)));
    }

    @Test
    void aTransactionOfManyLongKeysIsJournalledInParts() throws Exception {
        tap.journal(directory);
        tap.open(new SpaceId("s1")).transact(tx -> {
            for (int i = 0; i < 5_000; i++) {
                byte[] key = new byte[255];
                key[0] = (byte) (i >> 8);
                key[1] = (byte) i;
                tx.put(key, bytes("v" + i));
            }
            return true;
        });
        try (Mover.Feed feed = tap.feed(secondary, "journal")) {
            feed.settle();
        }
        assertEquals(5_000, all(secondary).size());
        assertEquals(all(primary), all(secondary));
    }

    private void put(String space, String key, String value) throws ProviderException {
        put(tap.open(new SpaceId(space)), bytes(key), bytes(value));
    }

    private static void put(Space space, byte[] key, byte[] value) throws ProviderException {
        space.transact(tx -> {
            tx.put(key, value);
            return true;
        });
    }

    /** Everything that users see. */
    private static Map<String, String> all(RecordStore store) throws ProviderException {
        Map<String, String> all = new TreeMap<>();
        for (SpaceId id : store.spaces()) {
            List<Space.Entry> entries = store.open(id)
                    .transact(tx -> tx.range(new byte[] {0}, RecordTap.RESERVED, false, Integer.MAX_VALUE));
            for (Space.Entry entry : entries) {
                all.put(
                        id.value() + " " + HexFormat.of().formatHex(entry.key()),
                        new String(entry.value(), StandardCharsets.UTF_8));
            }
        }
        return all;
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(bytes(text));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
