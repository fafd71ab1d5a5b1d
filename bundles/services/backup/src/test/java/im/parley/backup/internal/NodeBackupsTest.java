package im.parley.backup.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import im.parley.backup.Backups;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class NodeBackupsTest {
    private static final SpaceId CIRCLE = new SpaceId("circle:default");
    private static final SpaceId OTHER = new SpaceId("circle:work");
    private static final SpaceId FILES = new SpaceId("files");
    private static final String KEYS = "im.parley.identity.local~main";

    @TempDir
    Path root = Path.of("unset");

    private final SettableClock clock = SettableClock.atSecond(1_700_000_000);
    private final RandomGenerator data = Seeds.generator("backup");
    private final FakeNode node = new FakeNode();
    private Path directory = Path.of("unset");

    @BeforeEach
    void place() {
        directory = root.resolve("disk").resolve("backup");
    }

    private static char[] passphrase() {
        return "nobody else writes this".toCharArray();
    }

    private NodeBackups backups(FakeNode of) {
        return backups(of, DiskFolder::new);
    }

    private NodeBackups backups(FakeNode of, Function<Path, Folder> folders) {
        return new NodeBackups(
                of,
                of,
                of,
                clock,
                () -> 0,
                Seeds.secureRandom("backup keys " + data.nextLong()),
                root.resolve("data"),
                Set.of(FILES.value()),
                List.of(KEYS),
                new Stretch(64, 1, 1),
                folders,
                null);
    }

    private static ProviderException fails(String code, Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code(), e.getMessage());
        return e;
    }

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        data.nextBytes(bytes);
        return bytes;
    }

    /** A record key as the vault makes them: table, keyed hash of the name, perhaps order fields. */
    private byte[] key(boolean ordered, long order) {
        byte[] hash = ordered ? new byte[16] : bytes(16);
        ByteBuffer key = ByteBuffer.allocate(ordered ? 25 : 17)
                .put((byte) (ordered ? 21 : 22))
                .put(hash);
        return (ordered ? key.putLong(order) : key).array();
    }

    private void messages(FakeNode of, int from, int to) {
        for (int i = from; i < to; i++) {
            of.put(CIRCLE, key(true, i), bytes(150 + data.nextInt(200)));
            of.put(CIRCLE, key(false, 0), bytes(60));
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        }
    }

    @Test
    void randomRecordsComeBackOnAnotherMachine() throws Exception {
        for (int round = 0; round < 20; round++) {
            FakeNode old = new FakeNode();
            directory = root.resolve("round" + round);
            int records = data.nextInt(400);
            for (int i = 0; i < records; i++) {
                int length = data.nextInt(10) == 0 ? data.nextInt(100_000) : data.nextInt(300);
                old.put(data.nextBoolean() ? CIRCLE : OTHER, bytes(1 + data.nextInt(255)), bytes(length));
            }
            if (round % 5 == 0) {
                old.put(OTHER, new byte[] {0}, bytes(1 << 20));
                old.put(OTHER, new byte[] {-1}, new byte[0]);
            }
            old.secretsFor(KEYS).write("identity.1", bytes(32), null);
            Map<String, String> before = old.image();
            old.put(FILES, new byte[] {1}, bytes(10));
            Backups.Made made = backups(old).run(directory, passphrase());
            assertEquals(made.chunks(), made.written());

            FakeNode fresh = new FakeNode();
            Backups.Restored restored = backups(fresh).restore(directory, passphrase(), 0);
            assertEquals(before, fresh.image(), "round " + round);
            assertEquals(made.records(), restored.records());
            fails("restore.not-empty", () -> backups(fresh).restore(directory, passphrase(), 0));
            assertEquals(before, fresh.image());
        }
    }

    @Test
    void aSecondBackupWritesLittleAndNeedsNoPassphrase() throws Exception {
        messages(node, 0, 20_000);
        Backups.Made first = backups(node).run(directory, passphrase());
        assertEquals(Backups.Place.REMEMBERED, backups(node).look(directory));
        messages(node, 20_000, 20_020);
        Backups.Made second = backups(node).run(directory, null);
        Backups.Made third = backups(node).run(directory, null);
        System.out.println("20,000 messages: " + first.written() + " chunks of 32 KiB; 20 more: " + second.written()
                + "; none: " + third.written());
        assertTrue(second.written() <= 2 * 20 + 3, second.toString());
        assertEquals(0, third.written());
        FakeNode fresh = new FakeNode();
        backups(fresh).restore(directory, passphrase(), 2);
        assertEquals(node.image(), fresh.image());
        assertEquals(3, backups(node).list(directory, null).size());
    }

    @Test
    void CR_29_theSizeTellsNothingOfANickname() throws Exception {
        messages(node, 0, 500);
        byte[] contact = key(true, 1_000_000);
        node.put(CIRCLE, contact, new byte[32]);
        backups(node).run(directory, passphrase());
        Set<Object> sizes = new HashSet<>();
        for (int guess = 0; guess < 256; guess++) {
            byte[] nickname = new byte[32 + guess % 24];
            Arrays.fill(nickname, (byte) (guess + 1));
            node.put(CIRCLE, contact, nickname);
            Backups.Made made = backups(node).run(directory, null);
            sizes.add(List.of(made.bytesWritten(), made.written(), made.chunks()));
        }
        for (Path file : files()) {
            boolean other = Set.of("config", "lock").contains(file.getFileName().toString());
            assertTrue(other || Files.size(file) == Repository.CHUNK_FILE, file.toString());
        }
        assertEquals(1, sizes.size());
    }

    @Test
    void everyFlipIsFound() throws Exception {
        messages(node, 0, 150);
        node.secretsFor(KEYS).write("identity.1", bytes(32), null);
        backups(node).run(directory, passphrase());
        assertEquals(List.of(), backups(node).verify(directory, null).damaged());
        int flips = 0;
        for (Path file : files()) {
            byte[] content = Files.readAllBytes(file);
            int step = content.length > 4_096 ? 97 : 1;
            for (int at = 0; at < content.length; at += step) {
                byte[] changed = content.clone();
                changed[at] ^= (byte) (1 << data.nextInt(8));
                Files.write(file, changed);
                assertTrue(isFound(), file.getFileName() + " at " + at);
                flips++;
            }
            for (int length : new int[] {0, 1, content.length / 2, content.length - 1}) {
                Files.write(file, Arrays.copyOf(content, Math.max(0, length)));
                assertTrue(content.length == 0 || isFound(), file.getFileName() + " cut to " + length);
            }
            Files.write(file, content);
            if (content.length > 0) {
                Files.write(file, Arrays.copyOf(content, content.length + 1));
                assertTrue(isFound(), file.getFileName() + " made longer");
                Files.write(file, content);
            }
        }
        System.out.println(flips + " bits flipped, all found");
        assertTrue(flips > 1_000);
    }

    /** A repository without a snapshot is no backup any more, which restore says. */
    private boolean isFound() throws ProviderException {
        try {
            Backups.Verified verified = backups(node).verify(directory, null);
            return !verified.damaged().isEmpty() && !verified.snapshots().get(0).whole();
        } catch (ProviderException e) {
            return Set.of("backup.damaged", "backup.not-a-backup", "backup.too-new", "backup.passphrase-needed")
                    .contains(e.code());
        }
    }

    @Test
    void aDamagedSnapshotIsRefusedAndTheNextBackupHealsIt() throws Exception {
        messages(node, 0, 2_000);
        backups(node).run(directory, passphrase());
        Path chunk = files().stream()
                .filter(f -> f.toString().contains("chunks"))
                .findFirst()
                .orElseThrow();
        byte[] content = Files.readAllBytes(chunk);
        content[100] ^= 1;
        Files.write(chunk, content);
        FakeNode fresh = new FakeNode();
        fails("backup.damaged", () -> backups(fresh).restore(directory, passphrase(), 0));
        assertEquals(0, fresh.replaced, "nothing was touched");
        Backups.Made healed = backups(node).run(directory, null);
        assertEquals(1, healed.written());
        assertTrue(backups(node).verify(directory, null).snapshots().stream().allMatch(Backups.Snapshot::whole));
        Files.delete(chunk);
        Backups.Verified verified = backups(node).verify(directory, null);
        assertEquals(List.of("chunk " + chunk.getFileName()), verified.damaged());
        assertTrue(verified.snapshots().stream().noneMatch(Backups.Snapshot::whole));
    }

    @Test
    void killedAtEveryStepEarlierSnapshotsAreWholeAndTheNextRunGoesOn() throws Exception {
        messages(node, 0, 300);
        backups(node).run(directory, passphrase());
        Map<String, String> first = node.image();
        messages(node, 300, 600);
        Path whole = directory;
        int steps = 0;
        boolean reached = true;
        while (reached) {
            directory = copied(whole, root.resolve("killed" + steps));
            boolean kill = steps % 2 == 0;
            FaultyFolder faulty = new FaultyFolder(directory, steps, kill);
            try {
                backups(node, unused -> faulty).run(directory, null);
            } catch (FaultyFolder.Killed e) {
                assertTrue(kill);
            } catch (ProviderException e) {
                assertEquals("backup.io-error", e.code());
            }
            reached = faulty.reached();
            Backups.Verified verified = backups(node).verify(directory, null);
            assertEquals(List.of(), verified.damaged());
            assertTrue(verified.snapshots().stream().allMatch(Backups.Snapshot::whole));
            FakeNode fresh = new FakeNode();
            backups(fresh).restore(directory, passphrase(), 1);
            assertEquals(first, fresh.image());

            backups(node).run(directory, null);
            FakeNode newest = new FakeNode();
            backups(newest).restore(directory, passphrase(), 0);
            assertEquals(node.image(), newest.image());
            backups(node).prune(directory, null, 1);
            assertTrue(files().stream().noneMatch(file -> file.toString().endsWith(".tmp")), "litter is swept");
            steps++;
        }
        assertTrue(steps > 10, steps + " steps");
        System.out.println("killed or full at " + steps + " steps of a backup: earlier snapshots whole each time");
    }

    private static Path copied(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path file : all.toList()) {
                Files.copy(file, to.resolve(from.relativize(file)));
            }
        }
        return to;
    }

    @Test
    void prunedAtEveryStepWhatStaysIsWhole() throws Exception {
        for (int steps = 0; ; steps++) {
            directory = root.resolve("prune" + steps);
            FakeNode busy = new FakeNode();
            for (int i = 0; i < 4; i++) {
                messages(busy, 100 * i, 100 * i + 100);
                backups(busy).run(directory, passphrase());
            }
            FaultyFolder faulty = new FaultyFolder(directory, steps, true);
            try {
                backups(busy, unused -> faulty).prune(directory, null, 2);
            } catch (FaultyFolder.Killed e) {
                assertTrue(faulty.reached());
            }
            Backups.Verified verified = backups(busy).verify(directory, null);
            assertEquals(4, verified.snapshots().get(0).number());
            assertEquals(3, verified.snapshots().get(1).number());
            assertEquals(List.of(), verified.damaged());
            FakeNode fresh = new FakeNode();
            backups(fresh).restore(directory, passphrase(), 0);
            assertEquals(busy.image(), fresh.image());
            if (!faulty.reached()) {
                assertEquals(2, verified.snapshots().size());
                return;
            }
        }
    }

    @Test
    void whatIsWipedIsNotInLaterBackupsAndNowhereOnceEarlierOnesArePruned() throws Exception {
        byte[] canary = "canary of a vanished message".getBytes(UTF_8);
        byte[] key = key(true, 7);
        messages(node, 0, 100);
        node.put(CIRCLE, key, canary);
        backups(node).run(directory, passphrase());
        node.remove(CIRCLE, key);
        backups(node).run(directory, null);
        FakeNode fresh = new FakeNode();
        backups(fresh).restore(directory, passphrase(), 0);
        assertEquals(node.image(), fresh.image());
        int before = files().size();
        Backups.Pruned pruned = backups(node).prune(directory, null, 1);
        assertEquals(1, pruned.snapshots());
        assertTrue(pruned.chunks() >= 1);
        assertEquals(before - pruned.chunks() - 1, files().size());
        fails("backup.no-snapshot", () -> backups(new FakeNode()).restore(directory, passphrase(), 1));
    }

    @Test
    void DB_06_nothingIsReadableInTheDirectory() throws Exception {
        String canary = "canary-in-a-record-that-a-fake-vault-did-not-seal";
        node.put(CIRCLE, key(true, 1), canary.getBytes(UTF_8));
        node.secretsFor(KEYS).write("identity.canary", canary.getBytes(UTF_8), null);
        backups(node).run(directory, passphrase());
        for (Path file : files()) {
            String content = Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1);
            assertFalse(content.contains("canary"), file.toString());
            assertFalse(content.contains("identity"), file.toString());
            assertFalse(content.contains("circle"), file.toString());
            assertEquals(
                    "rw-------",
                    java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(file)),
                    file.toString());
        }
        assertEquals(List.of(), List.of(root.resolve("data/backup").toFile().listFiles()), "the spool is gone");
    }

    @Test
    void anUnfinishedRestoreIsDoneAgain() throws Exception {
        messages(node, 0, 50);
        node.put(OTHER, key(true, 1), bytes(10));
        node.secretsFor(KEYS).write("identity.1", bytes(32), null);
        backups(node).run(directory, passphrase());
        FakeNode fresh = new FakeNode();
        fresh.failAfter = 100;
        fails("storage.full", () -> backups(fresh).restore(directory, passphrase(), 0));
        fresh.failAfter = -1;
        backups(fresh).restore(directory, passphrase(), 0);
        assertEquals(node.image(), fresh.image());
        fails("restore.not-empty", () -> backups(fresh).restore(directory, passphrase(), 0));
        assertEquals(Backups.Place.REMEMBERED, backups(fresh).look(directory));
        assertEquals(2, backups(fresh).run(directory, null).number());
    }

    @Test
    void refusals() throws Exception {
        messages(node, 0, 5);
        fails("key.weak-passphrase", () -> backups(node).run(directory, "1234567890123".toCharArray()));
        fails("backup.passphrase-needed", () -> backups(node).run(directory, null));
        fails("backup.inside-data", () -> backups(node).run(root.resolve("data/b"), passphrase()));
        fails("backup.inside-data", () -> backups(node).run(root, passphrase()));
        Files.writeString(Files.createDirectories(root.resolve("mine")).resolve("letter"), "mine");
        fails("backup.not-a-backup", () -> backups(node).run(root.resolve("mine"), passphrase()));
        fails("backup.not-a-backup", () -> backups(node).verify(root.resolve("nowhere"), passphrase()));
        assertFalse(Files.exists(root.resolve("nowhere")));
        backups(node).run(directory, passphrase());
        FakeNode other = new FakeNode();
        assertEquals(Backups.Place.FOREIGN, backups(other).look(directory));
        fails("backup.passphrase-needed", () -> backups(other).list(directory, null));
        fails("backup.wrong-passphrase", () -> backups(other).list(directory, "nobody else writes that".toCharArray()));
        fails("backup.no-snapshot", () -> backups(other).restore(directory, passphrase(), 9));
        try (FolderLock lock = FolderLock.toWrite(directory)) {
            fails("backup.locked", () -> backups(node).run(directory, null));
            fails("backup.locked", () -> backups(node).verify(directory, null));
        }
        Path config = directory.resolve("config");
        Files.writeString(config, Files.readString(config).replace("parley-backup 1", "parley-backup 2"));
        fails("backup.too-new", () -> backups(node).run(directory, null));
    }

    @Test
    void scheduledOnesAreMadeWhenTheyAreDueAndOnlyThen() throws Exception {
        messages(node, 0, 5);
        NodeBackups backups = backups(node);
        assertEquals(Duration.ZERO, backups.makeDue());
        fails("backup.bad-interval", () -> backups.schedule(directory, passphrase(), Duration.ofSeconds(10), 3));
        backups.schedule(directory, passphrase(), Duration.ofHours(1), 2);
        assertEquals(1, backups.list(directory, null).size());
        assertEquals(Duration.ofHours(1), backups.makeDue());
        clock.advance(Duration.ofMinutes(59));
        assertEquals(Duration.ofMinutes(1), backups.makeDue());
        for (int i = 0; i < 4; i++) {
            clock.advance(Duration.ofHours(1));
            backups.makeDue();
        }
        assertEquals(
                List.of(5L, 4L),
                backups.list(directory, null).stream()
                        .map(Backups.Snapshot::number)
                        .toList());

        // The disk is not there, then it is again.
        Path away = root.resolve("away");
        Files.move(directory, away);
        clock.advance(Duration.ofHours(1));
        assertEquals(Duration.ofMinutes(15), backups.makeDue());
        assertTrue(
                backups.plans().get(0).problem().startsWith("backup.passphrase-needed"),
                backups.plans().toString());
        assertFalse(Files.exists(directory), "nothing is made where a disk should be");
        Files.move(away, directory);
        clock.advance(Duration.ofMinutes(15));
        assertEquals(Duration.ofHours(1), backups.makeDue());
        assertEquals("", backups.plans().get(0).problem());

        backups.schedule(directory, null, Duration.ZERO, 0);
        clock.advance(Duration.ofDays(30));
        assertEquals(Duration.ZERO, backups.makeDue());
        assertEquals(0, backups.plans().get(0).nextAt());
    }
}
