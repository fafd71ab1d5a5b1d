package im.parley.backup.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.backup.Backups;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What is remembered of a directory, as a secret of this node: the key never lies in a file of its own.
 *
 * @param id of the repository
 * @param master its key; shared with nobody
 * @param every zero if nothing is made by itself
 * @param lastAt epoch milliseconds of the newest snapshot, 0 for none
 * @param triedAt epoch milliseconds of the newest try, 0 for none
 * @param problem empty if that went well
 */
record SavedPlan(
        String id,
        Path directory,
        byte[] master,
        Duration every,
        int keep,
        long lastNumber,
        long lastAt,
        long triedAt,
        String problem) {
    static final String PREFIX = "plan.";

    /** How soon a failed one is tried again, unless it is due earlier. */
    private static final Duration PATIENCE = Duration.ofMinutes(15);

    private static final int VERSION = 1;

    SavedPlan every(Duration changed, int kept) {
        return new SavedPlan(id, directory, master, changed, kept, lastNumber, lastAt, triedAt, problem);
    }

    SavedPlan at(Path moved) {
        return new SavedPlan(id, moved, master, every, keep, lastNumber, lastAt, triedAt, problem);
    }

    SavedPlan made(long number, long at) {
        return new SavedPlan(id, directory, master, every, keep, number, at, at, "");
    }

    SavedPlan failed(long at, String why) {
        return new SavedPlan(id, directory, master, every, keep, lastNumber, lastAt, at, why);
    }

    /** Epoch milliseconds at which the next one is due; 0 for never. A clock that was set back does not put it off. */
    long nextAt(long now) {
        if (every.isZero()) {
            return 0;
        }
        if (!problem.isEmpty()) {
            Duration wait = every.compareTo(PATIENCE) < 0 ? every : PATIENCE;
            return Math.min(triedAt, now) + wait.toMillis();
        }
        return lastAt == 0 ? now : Math.min(lastAt, now) + every.toMillis();
    }

    Backups.Plan shown(long now) {
        return new Backups.Plan(directory, every, keep, lastNumber, lastAt, nextAt(now), problem);
    }

    byte[] write() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(VERSION);
            text(out, directory.toString());
            out.write(master);
            out.writeLong(every.toSeconds());
            out.writeInt(keep);
            out.writeLong(lastNumber);
            out.writeLong(lastAt);
            out.writeLong(triedAt);
            text(out, problem);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static SavedPlan read(String id, byte[] content) throws ProviderException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(content))) {
            if (in.readUnsignedByte() != VERSION) {
                throw new IOException("another version");
            }
            Path directory = Path.of(text(in));
            byte[] master = new byte[RepositoryKeys.KEY];
            in.readFully(master);
            return new SavedPlan(
                    id,
                    directory,
                    master,
                    Duration.ofSeconds(in.readLong()),
                    in.readInt(),
                    in.readLong(),
                    in.readLong(),
                    in.readLong(),
                    text(in));
        } catch (IOException | IllegalArgumentException e) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "backup.plan-damaged",
                    "What this node remembers of a backup directory is none of this version. Back up to another one.");
        }
    }

    private static String text(DataInputStream in) throws IOException {
        int length = in.readInt();
        return new String(in.readNBytes(length), UTF_8);
    }

    /** Without the key. */
    @Override
    public String toString() {
        return "SavedPlan[" + id + "]";
    }
}
