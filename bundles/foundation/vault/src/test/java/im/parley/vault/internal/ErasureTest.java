package im.parley.vault.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.HotSpotDiagnosticMXBean;
import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.storage.derby.DerbyEngine;
import im.parley.storage.derby.DerbyRecordStoreProvider;
import im.parley.storage.memory.MemoryRecordStore;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Buckets over real stores: threads, killed processes, and what somebody finds who kept all files of before. */
class ErasureTest {
    private static final SpaceId ID = new SpaceId("circle:default");
    private static final RecordKey.Range ALL = RecordKey.all(1, "n");

    @TempDir
    Path root = Path.of("unset");

    private static LocalVault vault(Path home, SecureRandom random) {
        return new LocalVault(
                SettableClock.atSecond(0),
                random,
                home.resolve("data"),
                home.resolve("state"),
                name -> null,
                new KdfCost(64, 1, 1));
    }

    private static RecordKey key(long number) {
        return RecordKey.of(1, "n", number);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static List<String> texts(SealedSpace in) throws ProviderException {
        return in.transact(tx -> tx.scan(ALL, false, 1_000)).stream()
                .map(item -> new String(item.value(), StandardCharsets.UTF_8))
                .toList();
    }

    /** Always this store. */
    private record One(RecordStore store) implements Slot<RecordStore> {
        @Override
        public String name() {
            return "storage.records";
        }

        @Override
        public Lease<RecordStore> acquire() {
            return new Lease<>() {
                @Override
                public RecordStore get() {
                    return store;
                }

                @Override
                public String instance() {
                    return "one~1";
                }

                @Override
                public boolean retiring() {
                    return false;
                }

                @Override
                public void close() {}
            };
        }

        @Override
        public Status status() {
            return new Status(name(), "one~1", "", 0);
        }
    }

    /** What a store is given. */
    private record Context(Path dataDir, Secrets secrets, SecureRandom random) implements ProviderContext {
        @Override
        public String instance() {
            return "im.parley.storage.derby.records~main";
        }

        @Override
        public InstantSource clock() {
            return SettableClock.atSecond(0);
        }

        @Override
        public Egress egress(Scope scope) {
            throw new AssertionError("a store does not go to the network");
        }

        @Override
        public Executor executor() {
            return Runnable::run;
        }
    }

    /** A node's vault and records in one directory, from boot to stop. */
    private static final class Node implements AutoCloseable {
        private final DerbyEngine engine = new DerbyEngine();
        private final RecordStore store;
        private final LeasedSpaces spaces;

        Node(Path home, SecureRandom random) throws Exception {
            LocalVault vault = vault(home, random);
            Path dir = home.resolve("data/records");
            Files.createDirectories(dir);
            Secrets secrets = vault.secretsFor("im.parley.storage.derby.records~main");
            store = provider(engine).open(new Context(dir, secrets, random));
            spaces = new LeasedSpaces(new One(store), vault, random);
        }

        SealedSpace space() {
            return spaces.open(ID);
        }

        @Override
        public void close() throws Exception {
            spaces.deactivate();
            if (store instanceof AutoCloseable closeable) {
                closeable.close();
            }
            engine.close();
        }

        /** With the defaults of its configuration, whose type is not for others to see. */
        @SuppressWarnings("unchecked")
        private static Provider<RecordStore> provider(DerbyEngine engine) throws Exception {
            Constructor<?> made = DerbyRecordStoreProvider.class.getConstructors()[0];
            Class<?> type = made.getParameterTypes()[1];
            Object config = Proxy.newProxyInstance(
                    type.getClassLoader(), new Class<?>[] {type}, (proxy, method, none) -> valueOf(method));
            return (Provider<RecordStore>) made.newInstance(engine, config);
        }

        private static Object valueOf(Method method) {
            return method.getDefaultValue();
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path each : all.toList()) {
                Files.copy(each, to.resolve(from.relativize(each).toString()));
            }
        }
    }

    private static int found(Path dir, byte[] part) throws IOException {
        int found = 0;
        try (Stream<Path> all = Files.walk(dir)) {
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                byte[] content = Files.readAllBytes(file);
                for (int i = 0; i + part.length <= content.length; i++) {
                    found += Arrays.equals(content, i, i + part.length, part, 0, part.length) ? 1 : 0;
                }
            }
        }
        return found;
    }

    @Test
    void copiesOfAStoreOnDiskDoNotBringBackWhatWasShredded() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure");
        Path home = root.resolve("node");
        Path data = home.resolve("data");
        try (Node node = new Node(home, random)) {
            node.space().update(tx -> {
                tx.put(key(1), bytes("canary-1"), 7);
                tx.put(key(2), bytes("stays"), 8);
                tx.put(key(3), bytes("canary-3"), 7);
            });
        }
        // All that is on disk, but for the device key.
        Path stolen = root.resolve("stolen");
        copy(data, stolen);
        Path secrets = Files.list(data.resolve("vault/buckets")).findFirst().orElseThrow();
        byte[] slot = Arrays.copyOfRange(Files.readAllBytes(secrets), KeyFile.SLOT, 2 * KeyFile.SLOT);
        byte[] sealed = Arrays.copyOfRange(slot, 33, 89);
        assertEquals(1, found(data, sealed), "the sealed secret is on disk before");

        try (Node node = new Node(home, random)) {
            // With its record deleted or without.
            node.space().update(tx -> {
                tx.shred(7);
                tx.delete(key(1));
            });
            assertEquals(List.of("stays"), texts(node.space()));
        }
        assertEquals(0, found(data, sealed), "the sealed secret is on disk after");
        for (int i = 0; i + 8 <= sealed.length; i++) {
            assertEquals(0, found(data, Arrays.copyOfRange(sealed, i, i + 8)));
        }

        // Pages and log of before, with the keys of before and with those of now.
        for (boolean now : new boolean[] {false, true}) {
            Path old = root.resolve("old-" + now);
            copy(home.resolve("state"), Files.createDirectories(old).resolve("state"));
            copy(stolen, old.resolve("data"));
            if (now) {
                Path vault = old.resolve("data/vault/buckets").resolve(secrets.getFileName());
                Files.delete(vault);
                Files.copy(secrets, vault);
            }
            try (Node node = new Node(old, random)) {
                assertEquals(
                        now ? List.of("stays") : List.of("canary-1", "stays", "canary-3"),
                        texts(node.space()),
                        now ? "keys of now" : "keys of before");
                assertEquals(0, node.space().tampered());
            }
        }
    }

    @Test
    void theSecretOfAShreddedBucketIsGoneFromTheHeap() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure.heap");
        MemoryRecordStore store = new MemoryRecordStore();
        LocalVault vault = vault(root, random);
        SealedSpace space = new LeasedSpaces(new One(store), vault, random).open(ID);
        space.update(tx -> tx.put(key(1), bytes("canary"), 7));
        // Kept only in a disguise that the scanner undoes byte by byte.
        KeyFile file = new KeyFile(vault.file(ID), vault.key(ID), new Sealing(random));
        byte[] secret = file.find(new KeyFile.Ref(0, 1)).secret();
        byte[] disguised = secret.clone();
        for (int i = 0; i < disguised.length; i++) {
            disguised[i] ^= 0x5a;
            secret[i] = 0;
        }
        file.close();
        assertEquals(32, disguised.length);
        assertEquals(List.of("canary"), texts(space));
        assertTrue(inHeap(disguised), "the scanner must find what is there");
        space.update(tx -> tx.shred(7));
        assertEquals(List.of(), texts(space));
        assertFalse(inHeap(disguised), "the secret is still in the heap");
    }

    private boolean inHeap(byte[] disguised) throws IOException {
        Path dump = root.resolve("heap.hprof");
        // Garbage too: what was left behind in it can be read by whoever reads the memory.
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(dump.toString(), false);
        try (FileChannel channel = FileChannel.open(dump)) {
            MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            int length = bytes.capacity() - disguised.length;
            for (int i = 0; i <= length; i++) {
                int same = 0;
                while (same < disguised.length && (bytes.get(i + same) ^ 0x5a) == disguised[same]) {
                    same++;
                }
                if (same == disguised.length) {
                    return true;
                }
            }
            return false;
        } finally {
            Files.delete(dump);
        }
    }

    @Test
    void threadsThatPutAndShredSeeTheirOwn() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure.threads");
        RandomGenerator seeds = Seeds.generator("erasure.threads");
        MemoryRecordStore store = new MemoryRecordStore();
        LocalVault vault = vault(root, random);
        LeasedSpaces spaces = new LeasedSpaces(new One(store), vault, random);
        AtomicInteger shreds = new AtomicInteger();
        ExecutorService executor = Executors.newFixedThreadPool(4);
        List<Future<TreeMap<Long, String>>> threads = new ArrayList<>();
        try {
            for (int i = 0; i < 4; i++) {
                long thread = i;
                long seed = seeds.nextLong();
                SealedSpace space = spaces.open(ID);
                threads.add(executor.submit(() -> use(space, thread, seed, shreds)));
            }
            TreeMap<Long, String> expected = new TreeMap<>();
            for (Future<TreeMap<Long, String>> thread : threads) {
                expected.putAll(thread.get(2, TimeUnit.MINUTES));
            }
            for (int round = 0; round < 2; round++) {
                assertEquals(List.copyOf(expected.values()), texts(spaces.open(ID)));
                spaces = new LeasedSpaces(new One(store), vault(root, random), random);
            }
        } finally {
            executor.shutdownNow();
        }
        assertTrue(shreds.get() > 100, shreds + " shreds");
    }

    /** Records and buckets of its own, and one bucket that all put into and shred. */
    private static TreeMap<Long, String> use(SealedSpace space, long thread, long seed, AtomicInteger shreds)
            throws ProviderException {
        RandomGenerator choice = new java.util.SplittableRandom(seed);
        TreeMap<Long, String> own = new TreeMap<>();
        for (int i = 0; i < 300; i++) {
            long number = thread * 100 + choice.nextInt(20);
            long bucket = 1 + thread * 10 + number % 3;
            RecordKey shared = RecordKey.of(2, "shared", thread);
            if (choice.nextInt(4) == 0) {
                space.update(tx -> tx.shred(bucket));
                own.keySet().removeIf(each -> each % 3 == number % 3);
                shreds.incrementAndGet();
            } else {
                String text = thread + " " + i;
                space.update(tx -> {
                    tx.put(key(number), bytes(text), bucket);
                    tx.put(shared, bytes(text), 1_000);
                });
                own.put(number, text);
            }
            if (choice.nextInt(8) == 0) {
                space.update(tx -> tx.shred(1_000));
                assertNull(space.get(RecordKey.of(2, "never", thread)));
                shreds.incrementAndGet();
            }
            byte[] found = space.get(key(number));
            assertEquals(own.get(number), found == null ? null : new String(found, StandardCharsets.UTF_8));
            byte[] together = space.get(shared);
            assertTrue(together == null || new String(together, StandardCharsets.UTF_8).startsWith(thread + " "));
        }
        return own;
    }

    // ---- Killed

    /** Puts and shreds for ever, and says what is done; run in a process of its own. */
    static final class Endless {
        private Endless() {}

        public static void main(String[] args) throws Exception {
            try (Node node = new Node(Path.of(args[0]), Seeds.secureRandom("erasure.child"))) {
                for (long i = Long.parseLong(args[1]); ; i++) {
                    long number = i;
                    node.space().update(tx -> tx.put(key(number), bytes("v" + number), number));
                    System.out.println("put " + number);
                    if (number > 3) {
                        node.space().update(tx -> tx.shred(number - 3));
                        System.out.println("shred " + (number - 3));
                    }
                }
            }
        }
    }

    @Test
    void aNodeThatIsKilledKeepsWhatItSaidAndBringsNothingBack() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure.parent");
        RandomGenerator choice = Seeds.generator("erasure.kill");
        Path home = root.resolve("node");
        long put = 0;
        Set<Long> gone = new HashSet<>();
        Set<Long> unsure = new HashSet<>();
        int kills = 0;
        for (int life = 0; life < 4; life++) {
            Process child = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Endless.class.getName(),
                            home.toString(),
                            Long.toString(put + 1))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            int lines = choice.nextInt(15, 60);
            try (BufferedReader said = child.inputReader(StandardCharsets.UTF_8)) {
                for (String line = said.readLine(); line != null; line = said.readLine()) {
                    if (line.startsWith("put ")) {
                        put = Long.parseLong(line.substring(4));
                    } else if (line.startsWith("shred ")) {
                        gone.add(Long.parseLong(line.substring(6)));
                    }
                    if (--lines == 0) {
                        // Not the process itself, which would stop listening too.
                        child.toHandle().destroyForcibly();
                        kills++;
                    }
                }
            }
            assertTrue(child.waitFor(1, TimeUnit.MINUTES));
            try (Node node = new Node(home, random)) {
                List<String> found = texts(node.space());
                // What it did last it may not have said.
                unsure.add(put - 3);
                unsure.add(put - 2);
                for (long i = 1; i <= put; i++) {
                    if (gone.contains(i) || !unsure.contains(i)) {
                        assertEquals(!gone.contains(i), found.contains("v" + i), "v" + i + ": " + found);
                    }
                }
                assertEquals(0, node.space().tampered());
            }
        }
        assertEquals(4, kills);
        System.out.println("killed 4 times: " + put + " put, " + gone.size() + " shredded");
    }

    // ---- Many

    @Test
    void aHundredThousandBucketsOpenFastAndEachCostsTheSame() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure.many");
        LocalVault vault = vault(root, random);
        SpaceId id = new SpaceId("many");
        KeyFile file = new KeyFile(vault.file(id), vault.key(id), new Sealing(random));
        List<KeyFile.Ref> refs = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 0; i < 100_000; i++) {
            refs.add(file.allocate(i, 0));
        }
        file.force(refs);
        say("to make one of 100,000", start, 100_000);
        file.close();
        KeyFile again = new KeyFile(vault.file(id), vault.key(id), new Sealing(random));
        start = System.nanoTime();
        assertEquals(KeyFile.Standing.LIVE, again.find(refs.get(77_777)).standing());
        say("to open the file and find one", start, 1);
        start = System.nanoTime();
        again.destroy(refs.subList(500, 1_000));
        say("to destroy one of 500 at once", start, 500);
        start = System.nanoTime();
        KeyFile.Ref reused = again.allocate(1, 0);
        say("to look for free slots, once", start, 1);
        assertTrue(reused.slot() >= 500 && reused.slot() < 1_000, reused.toString());
        assertEquals(100_001, reused.serial());
        start = System.nanoTime();
        for (KeyFile.Ref ref : refs.subList(2_000, 4_000)) {
            again.find(ref);
        }
        say("to find one that is not in memory", start, 2_000);
        again.close();
    }

    @Test
    void whatBucketsCostOnDerby() throws Exception {
        SecureRandom random = Seeds.secureRandom("erasure.cost");
        try (Node node = new Node(root.resolve("node"), random)) {
            SealedSpace space = node.space();
            byte[] value = new byte[300];
            space.update(tx -> tx.put(key(0), value, 1));
            for (int round = 0; round < 2; round++) {
                // The first round warms up.
                int times = 400;
                long start = System.nanoTime();
                for (int i = 0; i < times; i++) {
                    long number = i;
                    space.update(tx -> tx.put(key(number), value));
                }
                say("a transaction with one put", start, times);
                start = System.nanoTime();
                for (int i = 0; i < times; i++) {
                    long number = i;
                    space.update(tx -> tx.put(key(number), value, 1));
                }
                say("a transaction with one put, in a bucket that is used", start, times);
                start = System.nanoTime();
                for (int i = 0; i < times; i++) {
                    long number = i;
                    space.update(tx -> tx.put(key(number), value, 1_000 + number));
                }
                say("a transaction with one put, in a new bucket", start, times);
                start = System.nanoTime();
                for (int i = 0; i < times; i++) {
                    long number = i;
                    space.update(tx -> tx.shred(1_000 + number));
                }
                say("a transaction with one shred", start, times);
                start = System.nanoTime();
                space.update(tx -> {
                    for (long i = 0; i < 5_000; i++) {
                        tx.put(key(i), value);
                    }
                });
                say("one put of 5,000", start, 5_000);
                start = System.nanoTime();
                space.update(tx -> {
                    for (long i = 0; i < 5_000; i++) {
                        tx.put(key(i), value, 1);
                    }
                });
                say("one put of 5,000, in a bucket that is used", start, 5_000);
                start = System.nanoTime();
                assertFalse(space.transact(tx -> tx.scan(ALL, false, 5_000)).isEmpty());
                say("one read of 5,000, in a bucket", start, 5_000);
            }
        }
    }

    private static void say(String what, long start, int times) {
        System.out.println(what + ": " + (System.nanoTime() - start) / 1_000 / times + " us");
    }
}
