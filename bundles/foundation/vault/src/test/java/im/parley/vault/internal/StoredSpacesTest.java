package im.parley.vault.internal;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.SpaceId;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SpaceArchive;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoredSpacesTest {
    private static final SpaceId ID = new SpaceId("circle:default");
    private static final String KEYS = "im.parley.identity.local~main";

    @TempDir
    Path root = Path.of("unset");

    private final SecureRandom random = Seeds.secureRandom("stored spaces");

    /** A node's vault and store. */
    private final class Node implements StoredSpaces.Users {
        final FakeRecordStore store = new FakeRecordStore();
        final LocalVault vault;
        final StoredSpaces archive;
        LeasedSpaces spaces;
        int away;

        Node(String name) {
            vault = new LocalVault(
                    SettableClock.atSecond(0),
                    random,
                    root.resolve(name).resolve("data"),
                    root.resolve(name).resolve("state"),
                    unset -> null,
                    new KdfCost(64, 1, 1));
            spaces = new LeasedSpaces(store, vault, random);
            archive = new StoredSpaces(store, vault, vault, random, this);
            archive.use(spaces);
        }

        @Override
        public void sendAway() {
            away++;
            archive.unuse(spaces);
            spaces.deactivate();
        }

        @Override
        public void callBack() {
            away--;
            spaces = new LeasedSpaces(store, vault, random);
            archive.use(spaces);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static final class Copy implements SpaceArchive.Reader {
        final TreeMap<byte[], byte[]> rows = new TreeMap<>(FakeRecordStore.UNSIGNED);
        int begun;

        @Override
        public void begin() {
            begun++;
            rows.clear();
        }

        @Override
        public void record(byte[] key, byte[] sealed) {
            rows.put(key, sealed);
        }

        void readTo(SpaceArchive.Sink sink) throws ProviderException {
            for (var row : rows.entrySet()) {
                sink.record(row.getKey(), row.getValue());
            }
        }
    }

    private static void write(Node node, int records) throws ProviderException {
        node.spaces.open(ID).update(tx -> {
            for (int i = 0; i < records; i++) {
                tx.put(RecordKey.of(21, "alice", i), bytes("message " + i));
            }
        });
    }

    private static int messages(Node node) throws ProviderException {
        List<SealedSpace.Item> items =
                node.spaces.open(ID).transact(tx -> tx.scan(RecordKey.all(21, "alice"), false, 10_000));
        for (int i = 0; i < items.size(); i++) {
            assertArrayEquals(bytes("message " + i), items.get(i).value());
        }
        assertEquals(0, node.spaces.open(ID).tampered());
        return items.size();
    }

    @Test
    void aSpaceGoesFromNodeToNodeWithoutBeingOpened() throws Exception {
        Node old = new Node("old");
        write(old, 300);
        Copy copy = new Copy();
        old.store.retries = 1;
        byte[] key = old.archive.read(ID, copy);
        assertEquals(2, copy.begun, "the store ran the work twice");
        assertEquals(List.of(ID), old.archive.spaces());

        Node fresh = new Node("new");
        // As a messenger does when it starts.
        assertEquals(0, messages(fresh));
        fresh.archive.replace(target -> {
            assertEquals(1, fresh.away);
            assertTrue(target.isEmpty(ID));
            target.fill(ID, key, copy::readTo);
            assertFalse(target.isEmpty(ID));
            assertThrows(IllegalStateException.class, () -> target.fill(ID, key, copy::readTo));
        });
        assertEquals(0, fresh.away);
        assertEquals(300, messages(fresh));
        assertEquals(old.store.rows(ID).size(), fresh.store.rows(ID).size());

        fresh.archive.replace(target -> target.clear(ID));
        assertEquals(0, messages(fresh));
    }

    @Test
    void usersComeBackAfterAFailure() {
        Node node = new Node("only");
        assertThrows(
                IllegalArgumentException.class,
                () -> node.archive.replace(target -> {
                    throw new IllegalArgumentException();
                }));
        assertEquals(0, node.away);
    }

    @Test
    void aDestroyedSpaceHasNoKeyAndIsNotListed() throws Exception {
        Node node = new Node("only");
        write(node, 1);
        node.spaces.destroy(ID);
        assertEquals(List.of(), node.archive.spaces());
        assertEquals(0, node.archive.read(ID, new Copy()).length);
    }

    @Test
    void secretsMoveWithTheirPassphrases() throws Exception {
        Node old = new Node("old");
        Secrets before = old.vault.secretsFor(KEYS);
        before.write("open", bytes("one"), null);
        before.write("closed", bytes("two"), "correct horse".toCharArray());
        Node fresh = new Node("new");
        Node third = new Node("third");
        for (String name : old.vault.names(KEYS)) {
            fresh.vault.put(KEYS, name, old.vault.take(KEYS, name));
            third.vault.put(KEYS, name, fresh.vault.take(KEYS, name));
        }
        for (Node node : List.of(fresh, third)) {
            Secrets after = node.vault.secretsFor(KEYS);
            assertArrayEquals(bytes("one"), after.read("open"));
            assertTrue(after.locked("closed"));
            assertEquals(
                    "vault.locked",
                    assertThrows(ProviderException.class, () -> after.read("closed"))
                            .code());
            assertEquals(
                    "vault.wrong-passphrase",
                    assertThrows(ProviderException.class, () -> after.unlock("closed", "wrong".toCharArray()))
                            .code());
            after.unlock("closed", "correct horse".toCharArray());
            assertArrayEquals(bytes("two"), after.read("closed"));
            after.write("closed", bytes("three"), "another one".toCharArray());
            after.unlock("closed", "another one".toCharArray());
            assertArrayEquals(bytes("three"), after.read("closed"));
        }
        assertEquals(
                "secret.not-portable",
                assertThrows(ProviderException.class, () -> fresh.vault.put(KEYS, "x", new byte[] {2, 3}))
                        .code());
    }

    @Test
    void whatIsInBucketsComesBackInBucketsAndWhatWasShreddedDoesNot() throws Exception {
        Node from = new Node("from");
        from.spaces.open(ID).update(tx -> {
            tx.put(RecordKey.of(21, "alice", 1), bytes("stays"), 7);
            tx.put(RecordKey.of(21, "alice", 2), bytes("goes"), 8);
            tx.put(RecordKey.of(21, "alice", 3), bytes("plain"));
        });
        Copy first = new Copy();
        Arrays.fill(from.archive.read(ID, first), (byte) 0);
        Copy again = new Copy();
        Arrays.fill(from.archive.read(ID, again), (byte) 0);
        assertEquals(first.rows.size(), again.rows.size());
        for (byte[] key : first.rows.keySet()) {
            assertArrayEquals(first.rows.get(key), again.rows.get(key), "what did not change is the same in a backup");
        }
        from.spaces.open(ID).update(tx -> tx.shred(8));
        Copy copy = new Copy();
        byte[] key = from.archive.read(ID, copy);
        assertEquals(2, copy.rows.size());

        Node to = new Node("to");
        to.archive.replace(target -> target.fill(ID, key, copy::readTo));
        to.spaces.open(ID).update(tx -> {
            SealedSpace.Item stays = requireNonNull(tx.item(RecordKey.of(21, "alice", 1)));
            assertArrayEquals(bytes("stays"), stays.value());
            assertEquals(7, stays.bucket());
            assertArrayEquals(bytes("plain"), tx.get(RecordKey.of(21, "alice", 3)));
            assertNull(tx.get(RecordKey.of(21, "alice", 2)));
            tx.shred(7);
        });
        to.spaces.open(ID).update(tx -> assertNull(tx.get(RecordKey.of(21, "alice", 1))));
    }
}
