package im.parley.messenger.internal;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.blobs.FileServer;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.messenger.Messenger.Attachment;
import im.parley.messenger.Messenger.Message;
import im.parley.messenger.Messenger.What;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Messages with files: written when the file is there, also after a crash, and taken back with it. */
class FileMessagesTest {
    private static final Scope SCOPE = Scope.DEFAULT;
    private static final FileDescription FILE = new FileDescription(
            List.of(URI.create("https://files.example/" + "ab".repeat(32))),
            Sha256.ofHex("ab".repeat(32)),
            Sha256.ofHex("cd".repeat(32)),
            1_016,
            new byte[32],
            new byte[12],
            new FileDescription.About("image/png", "cat.png", 640, 480, "LKO2", 0, ""));

    /** Jobs whose states the test sets. */
    private static final class Transfers implements FileTransfers {
        final Map<String, FileJob> jobs = new TreeMap<>();
        final List<Listener> listeners = new ArrayList<>();
        final List<String> done = new ArrayList<>();

        void set(String id, FileJob.State state) {
            FileJob old = requireNonNull(jobs.get(id));
            FileJob now = new FileJob(
                    id,
                    FileJob.Kind.PUT,
                    old.account(),
                    state,
                    old.path(),
                    0,
                    0,
                    0,
                    0,
                    "",
                    0,
                    List.of(),
                    List.of(),
                    state == FileJob.State.PREPARING ? null : FILE,
                    0);
            jobs.put(id, now);
            List.copyOf(listeners).forEach(listener -> listener.jobChanged(SCOPE, now));
        }

        @Override
        public List<URI> servers(Scope scope, PublicKey account) {
            return List.of();
        }

        @Override
        public List<URI> addServer(Scope scope, PublicKey account, URI server) {
            return List.of();
        }

        @Override
        public List<URI> removeServer(Scope scope, PublicKey account, URI server) {
            return List.of();
        }

        @Override
        public FileServer.Probe probe(Scope scope, PublicKey account, URI server) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String put(Scope scope, PublicKey account, Path source, PutOptions options) {
            String id = Integer.toString(jobs.size() + 1);
            jobs.put(
                    id,
                    new FileJob(
                            id,
                            FileJob.Kind.PUT,
                            account,
                            FileJob.State.PREPARING,
                            source,
                            0,
                            0,
                            0,
                            0,
                            "",
                            0,
                            List.of(),
                            List.of(),
                            null,
                            0));
            return id;
        }

        @Override
        public String get(Scope scope, PublicKey account, FileDescription file, Path target, boolean replace) {
            done.add("get " + file.sha256().hex());
            return "9";
        }

        @Override
        public Optional<FileJob> job(Scope scope, String id) {
            @Nullable FileJob job = jobs.get(id);
            return Optional.ofNullable(job);
        }

        @Override
        public List<FileJob> jobs(Scope scope, int limit) {
            return List.copyOf(jobs.values());
        }

        @Override
        public void cancel(Scope scope, String id) {}

        @Override
        public void retry(Scope scope, String id) {}

        @Override
        public List<Deletion> delete(Scope scope, PublicKey account, FileDescription file) {
            done.add("delete " + file.sha256().hex());
            return List.of();
        }

        @Override
        public AutoCloseable listen(Listener listener) {
            listeners.add(listener);
            return () -> listeners.remove(listener);
        }
    }

    private final VirtualTime time = new VirtualTime(Seeds.generator("file messages"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode a = new SimulatedNode(time, relays, "ws://127.0.0.1:7470", true);
    private final SimulatedNode b = new SimulatedNode(time, relays, "ws://127.0.0.1:7570", true);
    private final Transfers transfers = new Transfers();

    @BeforeEach
    void meet() throws Exception {
        relays.faults.instantFetch = true;
        a.stop();
        b.stop();
        a.files = transfers;
        b.files = transfers;
        a.boot();
        b.boot();
        PublicKey alice = a.create("Alice");
        PublicKey bob = b.create("Bob");
        time.run(Duration.ofSeconds(3));
        a.api().addContact(SCOPE, null, "bob", Nip19.nprofile(bob, List.of("ws://127.0.0.1:7570")));
        b.api().addContact(SCOPE, null, "alice", Nip19.nprofile(alice, List.of("ws://127.0.0.1:7470")));
    }

    private String send() throws Exception {
        return a.api().sendFile(SCOPE, null, List.of("bob"), Path.of("cat.png"), PutOptions.NONE);
    }

    private void settle() {
        time.run(Duration.ofSeconds(6));
    }

    @Test
    void theMessageIsWrittenWhenTheFileIsThere() throws Exception {
        String job = send();
        settle();
        assertEquals(0, a.messages().size());
        transfers.set(job, FileJob.State.UPLOADING);
        settle();
        assertEquals(0, a.messages().size());
        transfers.set(job, FileJob.State.AVAILABLE);
        transfers.set(job, FileJob.State.DONE);
        settle();
        for (SimulatedNode node : List.of(a, b)) {
            Message message = node.messages().get(0);
            assertEquals(1, node.messages().size());
            assertEquals(What.FILE, message.what());
            assertEquals(
                    new Attachment("cat.png", "image/png", 1_016, 640, 480, "LKO2", 0, "ab".repeat(32)),
                    message.file());
        }
        String id = b.messages().get(0).id();
        b.api().saveFile(SCOPE, null, id, Path.of("there.png"), false);
        assertEquals(List.of("get " + "ab".repeat(32)), transfers.done);
    }

    @Test
    void aCrashOfTheNodeLosesNoMessageAndDoublesNone() throws Exception {
        String job = send();
        settle();
        a.kill();
        transfers.listeners.clear();
        transfers.set(job, FileJob.State.DONE);
        a.boot();
        settle();
        a.kill();
        a.boot();
        settle();
        assertEquals(1, a.messages().size());
        assertEquals(1, b.messages().size());
    }

    @Test
    void aTransferThatWasCalledOffIsNoMessage() throws Exception {
        String job = send();
        transfers.set(job, FileJob.State.CANCELLED);
        settle();
        transfers.set(job, FileJob.State.DONE);
        settle();
        assertEquals(0, a.messages().size());
    }

    @Test
    void whoTakesTheMessageBackTakesTheFileBack() throws Exception {
        transfers.set(send(), FileJob.State.DONE);
        settle();
        Message sent = a.messages().get(0);
        a.api().delete(SCOPE, null, sent.id());
        settle();
        assertEquals(List.of("delete " + "ab".repeat(32)), transfers.done);
        assertNull(b.messages().get(0).file());
        assertEquals(
                "message.unknown",
                assertThrows(
                                ProviderException.class,
                                () -> b.api().saveFile(SCOPE, null, sent.id(), Path.of("x"), false))
                        .code());
    }
}
