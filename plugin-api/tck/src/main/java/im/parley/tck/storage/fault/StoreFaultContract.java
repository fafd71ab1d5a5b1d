package im.parley.tck.storage.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import im.parley.testkit.Skipped;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What every embedded store survives: nothing acknowledged is lost by a killed process, a power cut, a full, read-only or
 * failing disk, and damaged files are told, never passed over. Extend it in the provider's tests and name the {@link
 * StoreUnderTest}. The system properties {@code parley.fault.kills}, {@code .powercuts}, {@code .writefaults} and {@code
 * .damages} set how often; the numbers of a nightly run are 500, 100, 200 and 200. Each test prints its figures.
 */
@Timeout(7_200)
public abstract class StoreFaultContract {
    private static final int KILLS = Integer.getInteger("parley.fault.kills", 10);
    private static final int POWER_CUTS = Integer.getInteger("parley.fault.powercuts", 6);
    private static final int WRITE_FAULTS = Integer.getInteger("parley.fault.writefaults", 1);
    private static final int DAMAGES = Integer.getInteger("parley.fault.damages", 20);
    private static final int MOST_FAILING_CALL = 200;
    private static final int THREADS = 4;
    /** Beyond all numbers that may have been under way. */
    private static final int GAP = 1_000;

    private static final long SLOWEST_OPENING_MILLIS = 10_000;
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    static Path shared;

    @TempDir
    Path folder;

    /** What is tested; made anew in each process. */
    protected abstract Class<? extends StoreUnderTest> store();

    private String name() {
        return store().getSimpleName();
    }

    /** A home of new stores; creating them takes longer than copying what was created once. */
    private Path home(Path where) throws Exception {
        Path template = shared.resolve("template");
        if (!Files.exists(template)) {
            Files.createDirectory(template);
            try (StoreProcess creator = StoreProcess.start(store())) {
                creator.open(template);
                creator.closeStores();
            }
        }
        Path home = where.resolve("home");
        copy(template, home);
        Tools.run("sync", "-f", home.toString());
        return home;
    }

    // Processes and power

    /** Ends a writer, and answers where its data are now. */
    private interface Crash {
        Path crash(StoreProcess writer) throws Exception;
    }

    @Test
    void DB_01_nothingAcknowledgedIsLostByAKill() throws Exception {
        Path home = home(folder);
        crashAgainAndAgain("DB-01 kills", KILLS, home, writer -> {
            writer.kill();
            return home;
        });
    }

    @Test
    void DB_02_nothingAcknowledgedIsLostByAPowerCut() throws Exception {
        List<Disk> disks = new ArrayList<>(List.of(Disk.ext4(folder, 512)));
        try {
            crashAgainAndAgain("DB-02 power cuts", POWER_CUTS, home(disks.get(0).root()), writer -> {
                writer.pause();
                Disk cut = disks.get(0).withoutPower(folder);
                writer.kill();
                disks.remove(0).close();
                disks.add(cut);
                return cut.root().resolve("home");
            });
        } finally {
            for (Disk disk : disks) {
                disk.close();
            }
        }
    }

    @Test
    void DB_09_oneProcessAtATimeAndAStaleLockOpens() throws Exception {
        Path home = home(folder);
        BitSet acked;
        try (StoreProcess holder = StoreProcess.start(store());
                StoreProcess other = StoreProcess.start(store())) {
            holder.open(home);
            holder.run(0, THREADS);
            assertTrue(holder.awaitAcks(3));
            for (int i = 0; i < 2; i++) {
                StoreProcess.Opening refused = other.tryOpen(home);
                assertEquals("store.locked", refused.code(), refused.toString());
                assertTrue(refused.text().contains("another process"), refused.text());
            }
            assertTrue(holder.awaitAcks(3));
            holder.kill();
            acked = holder.acked();
            other.open(home);
            assertNothingLost(acked, other.present(), "under a stale lock");
        }
    }

    private void crashAgainAndAgain(String what, int count, Path first, Crash crash) throws Exception {
        RandomGenerator random = Seeds.generator(what + name());
        BitSet acked = new BitSet();
        Path home = first;
        int next = 0;
        long slowest = 0;
        for (int round = 0; round <= count; round++) {
            try (StoreProcess writer = StoreProcess.start(store())) {
                long millis = writer.open(home);
                slowest = Math.max(slowest, millis);
                assertTrue(millis <= SLOWEST_OPENING_MILLIS, "opening took " + millis + " ms");
                assertNothingLost(acked, writer.present(), what + " " + round);
                if (round < count) {
                    writer.run(next, THREADS);
                    assertTrue(writer.awaitAcks(1 + random.nextInt(200)), () -> "" + writer.takeFailures());
                    home = crash.crash(writer);
                    acked.or(writer.acked());
                    next = acked.length() + GAP;
                }
            }
        }
        System.out.println(what + ", " + name() + ": " + count + " crashes, " + acked.cardinality()
                + " writes acknowledged, 0 lost, slowest opening " + slowest + " ms");
        assertTrue(acked.cardinality() >= count);
    }

    private static void assertNothingLost(BitSet acked, BitSet present, String when) {
        BitSet lost = (BitSet) acked.clone();
        lost.andNot(present);
        assertEquals("{}", lost.toString(), "acknowledged but lost, " + when);
    }

    // Disks

    /** Takes room from a disk, and gives it back. */
    private interface Shortage {
        void begin(Disk disk) throws Exception;

        void end(Disk disk) throws Exception;
    }

    /**
     * @param writing whether writes are under way when it begins
     * @param restart whether it can be mended only when nobody holds the disk any more
     * @param readable whether everything must be readable while it lasts
     * @param acks what is written at most before it is left alone
     */
    private record Case(String what, Set<String> codes, boolean writing, boolean restart, boolean readable, int acks) {}

    @Test
    void DB_03_aFullDiskIsToldAndGoneOnFromWithoutARestart() throws Exception {
        Case full = new Case("full disk", Set.of("storage.full"), true, false, true, 100_000);
        try (Disk disk = Disk.memory(folder, "size=256m")) {
            runsShort(full, disk, new Shortage() {
                @Override
                public void begin(Disk of) throws Exception {
                    of.remount("size=" + (used(of.root()) / 1024 + (24 << 10)) + "k");
                }

                @Override
                public void end(Disk of) throws Exception {
                    of.remount("size=256m");
                }
            });
        }
    }

    @Test
    void DB_03_aDiskThatOthersFillIsToldAndGoneOnFrom() throws Exception {
        Case full = new Case("disk filled by others", Set.of("storage.full"), true, false, false, 100_000);
        try (Disk disk = Disk.memory(folder, "size=256m")) {
            Path filler = disk.root().resolve("filler");
            runsShort(full, disk, new Shortage() {
                @Override
                public void begin(Disk of) throws Exception {
                    Tools.run("sh", "-c", "head -c 400M /dev/zero > " + filler + " 2>&1 || true");
                }

                @Override
                public void end(Disk of) throws Exception {
                    Files.delete(filler);
                }
            });
        }
    }

    @Test
    void DB_03_aDiskWithoutRoomForFilesIsToldOrGoneOnWith() throws Exception {
        Case none = new Case("no inodes", Set.of("storage.full"), true, false, true, 5_000);
        try (Disk disk = Disk.memory(folder, "size=512m,nr_inodes=4000")) {
            Path full = disk.root().resolve("full");
            runsShort(none, disk, new Shortage() {
                @Override
                public void begin(Disk of) throws Exception {
                    Files.createDirectory(full);
                    for (int i = 0; ; i++) {
                        try {
                            Files.createFile(full.resolve(Integer.toString(i)));
                        } catch (IOException noMore) {
                            return;
                        }
                    }
                }

                @Override
                public void end(Disk of) throws Exception {
                    Tools.run("rm", "-r", full.toString());
                }
            });
        }
    }

    /** What a kernel does that gives up on a disk. */
    private static final Shortage READ_ONLY = new Shortage() {
        @Override
        public void begin(Disk disk) throws Exception {
            disk.abort();
        }

        @Override
        public void end(Disk disk) throws Exception {
            disk.mountAgain();
        }
    };

    @Test
    void DB_03_aDiskThatTurnsReadOnlyIsToldAndRead() throws Exception {
        try (Disk disk = Disk.ext4(folder, 256)) {
            runsShort(new Case("read-only", Set.of("storage.readonly"), false, true, true, 0), disk, READ_ONLY);
        }
    }

    @Test
    void DB_03_aDiskThatTurnsReadOnlyUnderAWriteIsToldAndNothingIsLost() throws Exception {
        Set<String> codes = Set.of("storage.readonly", "storage.io-error");
        try (Disk disk = Disk.ext4(folder, 256)) {
            runsShort(new Case("read-only under a write", codes, true, true, false, 100_000), disk, READ_ONLY);
        }
    }

    private static long used(Path root) throws Exception {
        return Long.parseLong(Tools.run("df", "-B1", "--output=used", root.toString())
                .lines()
                .skip(1)
                .findFirst()
                .orElseThrow()
                .strip());
    }

    private void runsShort(Case test, Disk disk, Shortage shortage) throws Exception {
        Path home = home(disk.root());
        BitSet acked;
        try (StoreProcess writer = StoreProcess.start(store())) {
            writer.open(home);
            int[] next = {0};
            boolean goesOn = false;
            if (test.writing()) {
                writer.run(0, THREADS);
                assertTrue(writer.awaitAcks(50), () -> "" + writer.takeFailures());
                shortage.begin(disk);
                // A store may go on with the files it has.
                goesOn = writer.awaitAcks(test.acks());
                if (goesOn) {
                    writer.kill();
                }
            } else {
                for (; next[0] < 50; next[0]++) {
                    assertNull(writer.put(next[0]));
                }
                shortage.begin(disk);
            }
            List<StoreProcess.Failure> told = new ArrayList<>(writer.takeFailures());
            acked = writer.acked();
            if (!goesOn) {
                next[0] = acked.length() + GAP;
                // Asked again and again while it lasts.
                for (int i = 0; i < 10; i++) {
                    StoreProcess.Failure failure = writer.put(next[0]++);
                    if (failure != null) {
                        told.add(failure);
                    }
                    StoreProcess.Content content = writer.content();
                    if (content.code() != null && !test.readable()) {
                        assertTrue(test.codes().contains(content.code()), content.toString());
                    } else {
                        assertNull(content.code(), content.toString());
                        assertNothingLost(writer.acked(), content.numbers(), "while there is no room");
                    }
                }
                assertFalse(told.isEmpty());
            }
            if (test.restart()) {
                writer.kill();
                goesOn = true;
            }
            told.forEach(failure -> assertTrue(test.codes().contains(failure.code()), failure.toString()));
            shortage.end(disk);
            long start = System.nanoTime();
            if (!goesOn) {
                for (int store = 0; store < 2; store++) {
                    next[0] += next[0] % 2 == store ? 2 : 1;
                    Await.until("the store writes again", SOON, () -> writer.put(next[0] += 2) == null);
                }
                assertNothingLost(writer.acked(), writer.present(), "after there was room again");
                acked = writer.acked();
            }
            System.out.println("DB-03 " + test.what() + ", " + name() + ": " + acked.cardinality()
                    + " writes acknowledged, 0 lost, "
                    + (goesOn
                            ? "told " + told.size() + " times"
                            : "told " + told.size() + " times, wrote again after "
                                    + (System.nanoTime() - start) / 1_000_000 + " ms"));
        }
        try (StoreProcess after = StoreProcess.start(store())) {
            after.open(home);
            assertNothingLost(acked, after.present(), "after a kill");
        }
    }

    // Failing writes

    @Test
    void DB_04_nothingIsAcknowledgedThatAFailingDiskDidNotTake() throws Exception {
        Path strace = Skipped.tool("strace");
        try {
            Tools.run(strace.toString(), "-f", "--seccomp-bpf", "-o", "/dev/null", "true");
        } catch (IOException e) {
            throw Skipped.becauseOfTheMachine("tracing of processes: " + e.getMessage());
        }
        RandomGenerator random = Seeds.generator("write faults " + name());
        Path template = home(folder);
        StoreUnderTest provider = store().getDeclaredConstructor().newInstance();
        int hits = 0;
        int runs = 0;
        Map<String, Integer> told = new TreeMap<>();
        for (int i = 0; i < WRITE_FAULTS; i++) {
            for (int kind = 0; kind < provider.writeFaults(template).size(); kind++) {
                Path home = folder.resolve("fault" + runs++);
                copy(template, home);
                StoreUnderTest.WriteFault fault = provider.writeFaults(home).get(kind);
                BitSet acked;
                try (StoreProcess writer = StoreProcess.start(
                        store(), inject(strace, fault, 1 + random.nextInt(fault.ends() ? MOST_FAILING_CALL : 3)))) {
                    StoreProcess.Opening opening = writer.tryOpen(home);
                    if (opening.refused()) {
                        told.merge(Objects.requireNonNull(opening.code()), 1, Integer::sum);
                        hits++;
                    } else {
                        writer.run(0, 1);
                        writer.awaitAcks(4 * MOST_FAILING_CALL);
                        List<StoreProcess.Failure> failures = writer.takeFailures();
                        hits += failures.isEmpty() ? 0 : 1;
                        failures.forEach(failure -> told.merge(failure.code(), 1, Integer::sum));
                        if (!failures.isEmpty() && fault.ends()) {
                            int next = writer.acked().length() + GAP;
                            // The number beside it goes to the other store.
                            int same = next + Math.floorMod(failures.get(0).number() - next, 2);
                            StoreProcess.Failure again = writer.put(same);
                            assertNotNull(again, "acknowledged although " + fault.name() + " still fails");
                            told.merge(again.code(), 1, Integer::sum);
                        }
                    }
                    acked = writer.acked();
                }
                try (StoreProcess next = StoreProcess.start(store())) {
                    next.open(home);
                    assertNothingLost(acked, next.present(), "after " + fault);
                }
                delete(home);
            }
        }
        System.out.println("DB-04 " + name() + ": " + runs + " runs, the fault was met in " + hits + ", told as " + told
                + ", 0 lost");
        assertTrue(hits > 0, "no fault was ever met");
        assertTrue(Set.of("storage.io-error").containsAll(told.keySet()), told.toString());
    }

    private static List<String> inject(Path strace, StoreUnderTest.WriteFault fault, int from) {
        List<String> command = new ArrayList<>(
                List.of(strace.toString(), "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-o", "/dev/null"));
        for (Path file : fault.files()) {
            command.addAll(List.of("-P", file.toString()));
        }
        String calls = String.join(",", fault.calls());
        command.addAll(List.of("-e", "trace=" + calls, "-e", "inject=" + calls + ":error=EIO:when=" + from + "+"));
        return command;
    }

    // Damage

    @Test
    void DB_05_damagedFilesAreToldAndNothingIsSilentlyMissing() throws Exception {
        RandomGenerator random = Seeds.generator("damages " + name());
        StoreUnderTest provider = store().getDeclaredConstructor().newInstance();
        // One that was killed, whose log is needed, and one that was closed.
        List<Path> templates = new ArrayList<>();
        List<BitSet> contents = new ArrayList<>();
        for (String name : List.of("killed", "closed")) {
            Path template = home(Files.createDirectory(folder.resolve(name)));
            templates.add(template);
            try (StoreProcess writer = StoreProcess.start(store())) {
                writer.open(template);
                writer.run(0, THREADS);
                assertTrue(writer.awaitAcks(400));
                writer.kill();
                contents.add(writer.acked());
            }
        }
        try (StoreProcess closer = StoreProcess.start(store())) {
            closer.open(templates.get(1));
            contents.set(1, closer.present());
            closer.closeStores();
        }
        Map<String, Integer> outcomes = new TreeMap<>();
        List<String> silent = new ArrayList<>();
        @Nullable StoreProcess reader = null;
        try {
            for (int i = 0; i < DAMAGES; i++) {
                Path home = folder.resolve("damaged" + i);
                copy(templates.get(i % 2), home);
                Damage damage = Damage.any(provider.files(home), random);
                damage.apply();
                if (reader == null) {
                    reader = StoreProcess.start(store());
                }
                String outcome;
                try {
                    outcome = look(reader, home, contents.get(i % 2));
                } catch (StoreProcess.Died died) {
                    outcome = "SILENT: the process died";
                    reader.close();
                    reader = null;
                }
                outcomes.merge(outcome, 1, Integer::sum);
                if (outcome.startsWith("SILENT")) {
                    silent.add(outcome + " after " + damage);
                }
                delete(home);
            }
        } finally {
            if (reader != null) {
                reader.close();
            }
        }
        System.out.println("DB-05 " + name() + ": " + DAMAGES + " damages: " + outcomes);
        assertEquals(List.of(), silent, "neither whole nor told");
    }

    private static String look(StoreProcess reader, Path home, BitSet acked) throws Exception {
        StoreProcess.Opening opening = reader.tryOpen(home);
        if (opening.refused()) {
            String code = Objects.requireNonNull(opening.code());
            boolean told = isCorrupt(code) && opening.text().contains("backup");
            return told ? "refused " + code : "SILENT: refused as " + opening;
        }
        try {
            StoreProcess.Content content = reader.content();
            if (content.code() != null) {
                boolean told = isCorrupt(content.code());
                return (told ? "refused when read " : "SILENT: unreadable as ")
                        + content.code()
                        + (told ? "" : content);
            }
            if (content.tampered() > 0) {
                return "counted as tampered";
            }
            BitSet lost = (BitSet) acked.clone();
            lost.andNot(content.numbers());
            return lost.isEmpty() ? "whole" : "SILENT: lost " + lost.cardinality();
        } finally {
            reader.closeStores();
        }
    }

    private static boolean isCorrupt(String code) {
        // Of a damaged key check nobody can say whether the key is wrong or the file.
        return code.equals("store.corrupt") || code.equals("store.wrong-key");
    }

    /** One change of one file. */
    private record Damage(Path file, String how, long at, int length) {
        static Damage any(List<Path> files, RandomGenerator random) throws IOException {
            Path file = files.get(random.nextInt(files.size()));
            long size = Math.max(1, Files.size(file));
            String how = List.of("flip", "flip", "truncate", "zero").get(random.nextInt(4));
            return new Damage(file, how, random.nextLong(size), how.equals("zero") ? 512 : 1);
        }

        void apply() throws IOException {
            try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
                if (how.equals("truncate")) {
                    open.setLength(at);
                    return;
                }
                byte[] bytes = new byte[(int) Math.min(length, open.length() - at)];
                open.seek(at);
                open.readFully(bytes);
                for (int i = 0; i < bytes.length; i++) {
                    bytes[i] = how.equals("flip") ? (byte) (bytes[i] ^ 0x10) : 0;
                }
                open.seek(at);
                open.write(bytes);
            }
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
            }
        }
    }

    private static void delete(Path tree) throws Exception {
        Tools.run("rm", "-rf", tree.toString());
        assertFalse(Files.exists(tree));
    }
}
