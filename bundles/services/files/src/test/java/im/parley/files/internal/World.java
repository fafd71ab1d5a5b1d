package im.parley.files.internal;

import im.parley.api.blobs.FileServer;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.RecordStore;
import im.parley.egress.EgressControl;
import im.parley.files.FileJob;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.storage.memory.MemoryRecordStoreProvider;
import im.parley.testkit.Await;
import im.parley.testkit.SeededRandom;
import im.parley.testkit.Seeds;
import im.parley.vault.internal.LeasedSpaces;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Transfers over records in memory, and file servers that a test can break. */
final class World {
    static final Scope SCOPE = Scope.DEFAULT;
    static final PublicKey ALICE = PublicKey.ofHex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    static final URI ONE = URI.create("http://one.test");
    static final URI TWO = URI.create("http://two.test");

    final SeededRandom random = Seeds.secureRandom("transfers");
    final Servers servers = new Servers();
    final Set<URI> named = ConcurrentHashMap.newKeySet();
    final AtomicLong millis = new AtomicLong(1_800_000_000_000L);
    final Path folder;
    private final LeasedSpaces spaces;
    NodeFiles files;

    World(Path folder) {
        this.folder = folder;
        spaces = new LeasedSpaces(slot("storage.records", records()), instance -> new Names(), random);
        files = start();
    }

    @SuppressWarnings("NullAway") // The store in memory asks for nothing.
    private static RecordStore records() {
        return new MemoryRecordStoreProvider().open(null);
    }

    private NodeFiles start() {
        InstantSource clock = () -> Instant.ofEpochMilli(millis.get());
        return new NodeFiles(
                folder.resolve("files"),
                2,
                new NodeFiles.Services(slot("fileserver", servers), slot("identity", servers), clock, random),
                spaces,
                new EgressControl() {
                    @Override
                    public void allow(Scope scope, URI address) {
                        named.add(address);
                    }

                    @Override
                    public void withdraw(Scope scope, URI address) {
                        named.remove(address);
                    }

                    @Override
                    public void forget(Scope scope) {
                        named.clear();
                    }

                    @Override
                    public List<Entry> log(int limit) {
                        return List.of();
                    }
                });
    }

    /** As after a crash: what was in memory is gone. */
    void restart() {
        files.stop();
        named.clear();
        files = start();
    }

    FileJob job(String id) {
        try {
            return files.job(SCOPE, id).orElseThrow();
        } catch (ProviderException e) {
            throw new AssertionError(e);
        }
    }

    FileJob until(String id, FileJob.State state) throws Exception {
        Await.until(id + " is " + state, () -> {
            FileJob job = job(id);
            if (job.state() != state && job.state().over()) {
                throw new AssertionError(job.toString());
            }
            return job.state() == state;
        });
        return job(id);
    }

    static <T> Slot<T> slot(String name, Object object) {
        return new Slot<>() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public Lease<T> acquire() {
                return new Lease<>() {
                    @Override
                    @SuppressWarnings("unchecked")
                    public T get() {
                        return (T) object;
                    }

                    @Override
                    public String instance() {
                        return name + "~test";
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
                return new Status(name, name + "~test", "", 0);
            }
        };
    }

    static Sha256 hash(byte[] bytes) {
        try {
            return Sha256.of(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** What goes wrong at a place. */
    @FunctionalInterface
    interface Trouble {
        void at(URI server, String verb, long bytes) throws ProviderException;
    }

    /** All file servers there are. */
    static final class Servers implements FileServer {
        final Map<URI, Map<Sha256, byte[]>> blobs = new ConcurrentHashMap<>();
        final List<String> asked = new CopyOnWriteArrayList<>();
        volatile Trouble trouble = (server, verb, bytes) -> {};

        Map<Sha256, byte[]> at(URI server) {
            return blobs.computeIfAbsent(root(server), unused -> new ConcurrentHashMap<>());
        }

        private static URI root(URI url) {
            return URI.create(url.getScheme() + "://" + url.getRawAuthority());
        }

        private void ask(Access access, String verb) throws ProviderException {
            asked.add(verb + " " + root(access.server()) + (access.signer() == null ? "" : " signed"));
            trouble.at(root(access.server()), verb, 0);
        }

        @Override
        public Stored upload(Access access, Content content) throws ProviderException {
            ask(access, "upload");
            content.source().seek(0);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] buffer = new byte[1_000];
            for (int n = content.source().read(buffer, 0, 1_000);
                    n > 0;
                    n = content.source().read(buffer, 0, 1_000)) {
                out.write(buffer, 0, n);
                content.source().progress(out.size());
                trouble.at(root(access.server()), "upload", out.size());
            }
            byte[] whole = out.toByteArray();
            if (!hash(whole).equals(content.hash()) || whole.length != content.sizeBytes()) {
                throw new ProviderException(Kind.REJECTED, "blob.hash-mismatch", "Other bytes.");
            }
            boolean created = at(access.server()).put(content.hash(), whole) == null;
            return new Stored(
                    URI.create(root(access.server()) + "/" + content.hash().hex() + ".bin"), created);
        }

        @Override
        public long download(Access access, Sha256 hash, long from, long sizeBytes, Sink sink)
                throws ProviderException {
            ask(access, "download");
            byte[] bytes = at(access.server()).get(hash);
            if (bytes == null) {
                throw new ProviderException(Kind.REJECTED, "blob.absent", "Absent.");
            }
            for (int at = (int) from; at < bytes.length; at += 1_000) {
                sink.write(bytes, at, Math.min(1_000, bytes.length - at));
                trouble.at(root(access.server()), "download", at);
            }
            return bytes.length - from;
        }

        @Override
        public Optional<Found> stat(Access access, Sha256 hash) {
            byte[] bytes = at(access.server()).get(hash);
            return bytes == null ? Optional.empty() : Optional.of(new Found(bytes.length, 0));
        }

        @Override
        public boolean delete(Access access, Sha256 hash) throws ProviderException {
            ask(access, "delete");
            return at(access.server()).remove(hash) != null;
        }

        @Override
        public Probe probe(Access access) throws ProviderException {
            ask(access, "probe");
            return new Probe(true, "", 1_000_000, true);
        }
    }

    /** Secrets in memory. */
    private static final class Names implements Secrets {
        private final Map<String, byte[]> values = new ConcurrentHashMap<>();

        @Override
        public List<String> names() {
            return List.copyOf(values.keySet());
        }

        @Override
        public boolean locked(String name) {
            return false;
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            byte[] value = values.get(name);
            if (value == null) {
                throw new ProviderException(Kind.REJECTED, "secret.missing", "No such secret.");
            }
            return value.clone();
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) {
            values.put(name, value.clone());
        }

        @Override
        public void unlock(String name, char[] passphrase) {}

        @Override
        public void delete(String name) {
            values.remove(name);
        }

        @Override
        public AutoCloseable onLock(Runnable callback) {
            return () -> {};
        }
    }
}
