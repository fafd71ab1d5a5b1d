package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file beside the database that says how far it had come. Derby takes damage in its log for the log's end, so without a
 * second place to look at, acknowledged rows would be missing and nobody would know. It is written after each commit,
 * never ahead of it, and not synced each time: after a power cut it may be a little behind, which hides nothing that was
 * not seconds old. For one thread at a time.
 */
final class Witness implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Witness.class);
    private static final String HMAC = "HmacSHA256";
    /** Two, each in a block of its own, so that one is whole whenever the power goes. */
    private static final int SLOTS = 2;

    private static final int SLOT_BYTES = 4_096;
    private static final int TEXT_BYTES = 24;
    private static final int MAC_BYTES = 32;
    private static final long SYNC_NANOS = 1_000_000_000L;

    private final Path file;
    private final Mac mac;
    /** Not a channel, which an interrupt of the thread that uses it would close. */
    private @Nullable RandomAccessFile opened;

    private long turn;
    private @Nullable Seen seen;
    private long syncedNanos = System.nanoTime();
    private boolean failing;

    /**
     * A state of the database; what the numbers mean is the store's own.
     *
     * @param what 0 or more
     */
    record Seen(long what, long count) {}

    private Witness(Path file, Mac mac) {
        this.file = file;
        this.mac = mac;
    }

    /**
     * Opens it, or begins a new one.
     *
     * @param databaseKey not kept
     */
    static Witness open(Path file, byte[] databaseKey) throws ProviderException {
        try {
            Mac mac = mac(mac(databaseKey).doFinal("parley-derby-seen-v1".getBytes(StandardCharsets.US_ASCII)));
            Witness witness = new Witness(file, mac);
            if (witness.read()) {
                LOG.warn("{} is damaged and begun anew", file);
            }
            return witness;
        } catch (IOException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The store could not be opened, its files cannot be read or written; check the disk and the rights.",
                    e);
        }
    }

    private static Mac mac(byte[] key) {
        try {
            Mac mac = Mac.getInstance(HMAC);
            mac.init(new SecretKeySpec(key, HMAC));
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has " + HMAC, e);
        }
    }

    /** The newest of the slots that are whole; true if something is there but nothing whole. */
    private boolean read() throws IOException {
        RandomAccessFile open = opened();
        for (int slot = 0; slot < SLOTS; slot++) {
            long at = (long) slot * SLOT_BYTES;
            byte[] bytes = new byte[TEXT_BYTES + MAC_BYTES];
            if (open.length() < at + bytes.length) {
                continue;
            }
            open.seek(at);
            open.readFully(bytes);
            byte[] text = Arrays.copyOf(bytes, TEXT_BYTES);
            byte[] check = Arrays.copyOfRange(bytes, TEXT_BYTES, bytes.length);
            ByteBuffer numbers = ByteBuffer.wrap(text);
            long found = numbers.getLong();
            if (MessageDigest.isEqual(mac.doFinal(text), check) && found > turn) {
                turn = found;
                seen = new Seen(numbers.getLong(), numbers.getLong());
            }
        }
        return seen == null && open.length() > 0;
    }

    private RandomAccessFile opened() throws IOException {
        RandomAccessFile open = opened;
        if (open == null) {
            open = new RandomAccessFile(file.toFile(), "rw");
            opened = open;
        }
        return open;
    }

    /** What was there when it was written last; null if nothing is known. */
    @Nullable
    Seen last() {
        return seen;
    }

    /** Notes what is durable now. A failure to do so costs only the note. */
    void saw(long what, long count) {
        seen = new Seen(what, count);
        turn++;
        byte[] text = ByteBuffer.allocate(TEXT_BYTES)
                .putLong(turn)
                .putLong(what)
                .putLong(count)
                .array();
        byte[] bytes = ByteBuffer.allocate(TEXT_BYTES + MAC_BYTES)
                .put(text)
                .put(mac.doFinal(text))
                .array();
        try {
            RandomAccessFile open = opened();
            open.seek(turn % SLOTS * SLOT_BYTES);
            open.write(bytes);
            if (System.nanoTime() - syncedNanos > SYNC_NANOS) {
                open.getFD().sync();
                syncedNanos = System.nanoTime();
            }
            failing = false;
        } catch (IOException e) {
            if (!failing) {
                LOG.warn("{} could not be written: {}", file, e.toString());
            }
            failing = true;
            close();
        }
    }

    /** The refusal of a database that is behind what was seen. */
    ProviderException lost() {
        return new ProviderException(
                Kind.CORRUPT,
                "store.corrupt",
                "The store lost changes that it had acknowledged: its files were damaged, or put back from an older copy. "
                        + "Restore a backup of the whole data directory. To go on with what is left, delete " + file
                        + ".");
    }

    /** Lets go of the file, until it is needed again: with the database, so that nothing holds a disk that fails. */
    @Override
    public void close() {
        RandomAccessFile open = opened;
        opened = null;
        if (open == null) {
            return;
        }
        try (open) {
            open.getFD().sync();
        } catch (IOException e) {
            LOG.warn("{} could not be written: {}", file, e.toString());
        }
    }
}
