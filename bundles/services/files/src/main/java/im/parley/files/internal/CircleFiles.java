package im.parley.files.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What one circle knows of files: jobs and the lists of servers in its records, ciphertext in its folder. Thread-safe. */
final class CircleFiles {
    private static final Logger LOG = LoggerFactory.getLogger(CircleFiles.class);
    private static final int VERSION = 1;
    private static final int MAX_JOBS = 1_000;
    private static final int MAX_ACCOUNTS = 1_000;
    private static final RecordKey COUNTER = RecordKey.of(CircleRecords.COUNTERS, "file jobs");

    final Scope scope;
    final Path folder;
    private final SealedSpace space;
    private final ConcurrentSkipListMap<Long, Job> jobs = new ConcurrentSkipListMap<>();

    CircleFiles(Scope scope, SealedSpace space, Path folder) throws ProviderException {
        this.scope = scope;
        this.space = space;
        this.folder = folder;
        try {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw Disk.writing(e);
        }
        List<Item> items =
                space.transact(tx -> tx.scan(RecordKey.all(CircleRecords.FILE_JOBS, ""), true, 2 * MAX_JOBS));
        boolean all = true;
        for (Item item : items) {
            long number = ByteBuffer.wrap(item.order()).getLong();
            try {
                jobs.put(number, Job.decode(number, item.value()));
            } catch (ProviderException | IllegalArgumentException e) {
                // Of a newer version perhaps; the others go on.
                LOG.warn("transfer {} cannot be read and is left alone", number, e);
                all = false;
            }
        }
        if (all) {
            sweep();
        }
    }

    /** What belongs to no job that goes on: a crash came between its end and its removal. */
    private void sweep() throws ProviderException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                boolean wanted = jobs.values().stream()
                        .anyMatch(job -> !job.state().over() && staged(job).equals(file));
                if (!wanted) {
                    Disk.remove(file);
                }
            }
        } catch (IOException e) {
            throw Disk.reading(e);
        }
    }

    /** Where the ciphertext of a job is. */
    Path staged(Job job) {
        return folder.resolve(job.number + (job.kind == im.parley.files.FileJob.Kind.PUT ? ".put" : ".get"));
    }

    /** Where a file that was checked is decrypted before it is moved to its place. */
    static Path beside(Job job) {
        return job.path.resolveSibling("." + job.path.getFileName() + "." + job.number + ".part");
    }

    /** Removes what a job that is over has left, if it was ended by a crash or somebody. */
    void tidy(Job job) {
        Disk.remove(staged(job));
        if (job.kind == im.parley.files.FileJob.Kind.GET) {
            Disk.remove(beside(job));
        }
    }

    /** Makes a job of the next number. */
    interface Maker {
        Job make(long number);
    }

    Job add(Maker maker) throws ProviderException {
        Job job = space.transact(tx -> {
            byte[] last = tx.get(COUNTER);
            long number = 1 + (last == null ? 0 : new RecordInput(last, VERSION).number());
            tx.put(COUNTER, new RecordOutput(VERSION).number(number).done());
            Job made = maker.make(number);
            tx.put(key(number), made.encode());
            for (Job old : surplus()) {
                tx.delete(key(old.number));
            }
            return made;
        });
        surplus().forEach(old -> jobs.remove(old.number));
        jobs.put(job.number, job);
        return job;
    }

    private List<Job> surplus() {
        return jobs.size() < MAX_JOBS
                ? List.of()
                : jobs.values().stream()
                        .filter(job -> job.state().over())
                        .limit(jobs.size() - MAX_JOBS + 1L)
                        .toList();
    }

    private static RecordKey key(long number) {
        return RecordKey.of(CircleRecords.FILE_JOBS, "", number);
    }

    /** In the order of the calls, so that no older state is written over a newer one. */
    synchronized void save(Job job) throws ProviderException {
        byte[] value = job.encode();
        space.update(tx -> tx.put(key(job.number), value));
    }

    @Nullable
    Job job(long number) {
        return jobs.get(number);
    }

    /** The newest first. */
    List<Job> jobs() {
        return List.copyOf(jobs.descendingMap().values());
    }

    // Servers

    /**
     * An account's list.
     *
     * @param number where it is
     */
    private record Servers(long number, PublicKey account, List<URI> urls) {}

    private static List<Servers> lists(Tx tx) throws ProviderException {
        List<Servers> found = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(CircleRecords.FILE_SERVERS, ""), false, MAX_ACCOUNTS)) {
            RecordInput in = new RecordInput(item.value(), VERSION);
            found.add(new Servers(
                    ByteBuffer.wrap(item.order()).getLong(),
                    PublicKey.of(in.bytes()),
                    in.texts().stream().map(URI::create).toList()));
        }
        return found;
    }

    List<URI> servers(PublicKey account) throws ProviderException {
        return space.transact(tx -> lists(tx).stream()
                .filter(each -> each.account().equals(account))
                .findFirst()
                .map(Servers::urls)
                .orElse(List.of()));
    }

    /** Of all accounts. */
    List<URI> allServers() throws ProviderException {
        return space.transact(tx -> lists(tx).stream()
                .flatMap(each -> each.urls().stream())
                .distinct()
                .toList());
    }

    /** Changes a list. */
    @FunctionalInterface
    interface Change {
        void apply(List<URI> urls) throws ProviderException;
    }

    List<URI> change(PublicKey account, Change change) throws ProviderException {
        return space.transact(tx -> {
            List<Servers> all = lists(tx);
            Servers known = all.stream()
                    .filter(each -> each.account().equals(account))
                    .findFirst()
                    .orElseGet(() -> new Servers(
                            1
                                    + all.stream()
                                            .map(Servers::number)
                                            .max(Comparator.naturalOrder())
                                            .orElse(0L),
                            account,
                            List.of()));
            List<URI> urls = new ArrayList<>(known.urls());
            change.apply(urls);
            tx.put(
                    RecordKey.of(CircleRecords.FILE_SERVERS, "", known.number()),
                    new RecordOutput(VERSION)
                            .bytes(account.bytes())
                            .texts(urls.stream().map(URI::toString).toList())
                            .done());
            return List.copyOf(urls);
        });
    }

    static ProviderException unknown(String id) {
        return new ProviderException(
                Kind.REJECTED, "files.job-unknown", "There is no transfer " + id + "; list those that there are.");
    }
}
