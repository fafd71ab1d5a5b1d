package im.parley.control;

import im.parley.backup.Backups;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Backups that are always fine. */
final class FakeBackups implements Backups {
    private static final List<Snapshot> SNAPSHOTS = List.of(new Snapshot(2, 1, 3, 4, true));

    @Override
    public String recoveryKey() {
        return "00000-11111";
    }

    @Override
    public Place look(Path directory) {
        return Place.NEW;
    }

    @Override
    public Made run(Path directory, char @Nullable [] passphrase) {
        return new Made(2, 3, 1, 4, 1, 65_536, 12);
    }

    @Override
    public List<Snapshot> list(Path directory, char @Nullable [] passphrase) {
        return SNAPSHOTS;
    }

    @Override
    public Verified verify(Path directory, char @Nullable [] passphrase) {
        return new Verified(SNAPSHOTS, 4, List.of("chunk 00"));
    }

    @Override
    public Pruned prune(Path directory, char @Nullable [] passphrase, int keep) {
        return new Pruned(1, keep, 3);
    }

    @Override
    public Restored restore(Path directory, char @Nullable [] passphrase, long number) {
        return new Restored(2, 1, 3, 1);
    }

    @Override
    public void schedule(Path directory, char @Nullable [] passphrase, Duration every, int keep) {}

    @Override
    public List<Plan> plans() {
        return List.of(new Plan(Path.of("/backup"), Duration.ofHours(1), 30, 2, 1, 2, ""));
    }

    @Override
    public Progress progress() {
        return new Progress("writes", 1, 2);
    }
}
