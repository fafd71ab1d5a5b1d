package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.cipher.CipherException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The secrets of one space's buckets, in slots of a file that is written in place; see the package for the format. Slots
 * are read when they are asked for. A serial number is given once, so who refers to a slot by its serial never meets a
 * later secret in it. Thread-safe.
 *
 * <p>What the file alone cannot tell is whether it is the right one: {@link Buckets} asks the store.
 */
final class KeyFile {
    static final int SLOT = 128;
    static final int ID = 16;
    static final int SECRET = 32;
    /** Secrets that are kept in memory. */
    static final int REMEMBERED = 4096;

    private static final Logger log = LoggerFactory.getLogger(KeyFile.class);
    private static final byte[] MAGIC = "PVB1".getBytes(UTF_8);
    private static final byte[] CHECK = "buckets".getBytes(UTF_8);
    private static final byte LIVE = 1;
    private static final byte GONE = 2;
    private static final int HEAD = 1 + Long.BYTES;
    /** Slots that are read at once. */
    private static final int CHUNK = 512;

    private final SlotFile file;
    private final byte[] key;
    private final Sealing sealing;

    // All guarded by this.
    private State state = State.UNREAD;
    private byte[] id = new byte[ID];
    /** Whether something of this file is on disk for certain. */
    private boolean forced;

    private boolean surveyed;
    private long slots;
    private long lastSerial;
    private final ArrayDeque<Long> free = new ArrayDeque<>();
    private final Set<Ref> unforced = new HashSet<>();
    /** Written before a force that failed: whether they are on disk is not known, ever. */
    private final Set<Ref> lost = new HashSet<>();

    private final Set<Ref> doomed = new LinkedHashSet<>();
    /** Also read without the lock, which may be held for as long as the disk takes. */
    private volatile boolean unfinished;

    private final LinkedHashMap<Long, Known> known = new LinkedHashMap<>(16, 0.75f, true);

    /** What the file is like. */
    enum State {
        UNREAD,
        ABSENT,
        GOOD,
        DAMAGED
    }

    /** Where a secret lies: a slot, and the number that only this secret ever had. */
    record Ref(long slot, long serial) {}

    /** What became of a secret. */
    enum Standing {
        LIVE,
        /** It was here and was destroyed. */
        GONE,
        /** This file never had it. */
        MISSING,
        /** Its slot is not what was written. */
        DAMAGED
    }

    /** @param secret the caller's to overwrite; empty unless it is live */
    record Found(Standing standing, long bucket, byte[] secret) {
        static Found none(Standing standing) {
            return new Found(standing, 0, new byte[0]);
        }
    }

    /** @param secret null if it was destroyed */
    private record Known(long serial, long bucket, byte @Nullable [] secret) {
        void wipe() {
            if (secret != null) {
                Arrays.fill(secret, (byte) 0);
            }
        }
    }

    /** @param key kept, and overwritten by {@link #close} */
    KeyFile(SlotFile file, byte[] key, Sealing sealing) {
        this.file = file;
        this.key = key;
        this.sealing = sealing;
    }

    synchronized State state() throws IOException {
        if (state == State.UNREAD) {
            byte[] head = file.read(0, SLOT);
            state = head.length == 0 ? State.ABSENT : isHead(head) ? State.GOOD : State.DAMAGED;
            if (state == State.GOOD) {
                id = Arrays.copyOfRange(head, MAGIC.length, MAGIC.length + ID);
                slots = (file.size() - 1) / SLOT;
                forced = true;
            }
        }
        return state;
    }

    /** Tells this file from one that was made after it was lost. */
    synchronized byte[] id() {
        return id.clone();
    }

    private boolean isHead(byte[] head) {
        if (head.length < SLOT || !Arrays.equals(head, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            return false;
        }
        int sealed = MAGIC.length + ID;
        try {
            byte[] data = Arrays.copyOf(head, sealed);
            byte[] body = Arrays.copyOf(head, sealed + Sealing.OVERHEAD + CHECK.length);
            Sealing.open(key, data, body, sealed);
            return true;
        } catch (CipherException e) {
            return false;
        }
    }

    private byte[] data(long slot, byte what, long serial) {
        return ByteBuffer.allocate(MAGIC.length + ID + Long.BYTES + HEAD)
                .put(MAGIC)
                .put(id)
                .putLong(slot)
                .put(what)
                .putLong(serial)
                .array();
    }

    private static long at(long slot) {
        return SLOT * (1 + slot);
    }

    private byte[] slot(Ref ref, byte what, byte[] plaintext) {
        byte[] sealed = sealing.seal(key, data(ref.slot, what, ref.serial), plaintext);
        return ByteBuffer.allocate(SLOT)
                .put(what)
                .putLong(ref.serial)
                .put(sealed)
                .array();
    }

    /** Null if it is not what was written there. */
    private @Nullable Known parse(long slot, byte[] bytes) {
        if (bytes.length < SLOT || bytes[0] != LIVE && bytes[0] != GONE) {
            return null;
        }
        long serial = ByteBuffer.wrap(bytes).getLong(1);
        int length = bytes[0] == LIVE ? Long.BYTES + SECRET : 0;
        try {
            byte[] sealed = Arrays.copyOf(bytes, HEAD + Sealing.OVERHEAD + length);
            byte[] plaintext = Sealing.open(key, data(slot, bytes[0], serial), sealed, HEAD);
            if (length == 0) {
                return new Known(serial, 0, null);
            }
            Known live = new Known(
                    serial,
                    ByteBuffer.wrap(plaintext).getLong(),
                    Arrays.copyOfRange(plaintext, Long.BYTES, Long.BYTES + SECRET));
            Arrays.fill(plaintext, (byte) 0);
            return live;
        } catch (CipherException e) {
            return null;
        }
    }

    synchronized Found find(Ref ref) throws IOException {
        if (doomed.contains(ref)) {
            return Found.none(Standing.GONE);
        }
        if (state() != State.GOOD || ref.slot < 0 || ref.slot >= slots) {
            return Found.none(state == State.DAMAGED ? Standing.DAMAGED : Standing.MISSING);
        }
        Known found = known.get(ref.slot);
        if (found == null) {
            found = parse(ref.slot, file.read(at(ref.slot), SLOT));
            if (found == null) {
                return Found.none(Standing.DAMAGED);
            }
            remember(ref.slot, found);
        }
        if (found.serial != ref.serial) {
            return Found.none(found.serial > ref.serial ? Standing.GONE : Standing.MISSING);
        }
        return found.secret == null
                ? Found.none(Standing.GONE)
                : new Found(Standing.LIVE, found.bucket, found.secret.clone());
    }

    private void remember(long slot, Known now) {
        forget(slot);
        known.put(slot, now);
        if (known.size() > REMEMBERED) {
            Iterator<Known> eldest = known.values().iterator();
            eldest.next().wipe();
            eldest.remove();
        }
    }

    private void forget(long slot) {
        Known old = known.remove(slot);
        if (old != null) {
            old.wipe();
        }
    }

    /**
     * A new secret for a bucket, not yet on disk: see {@link #force}. Makes the file if there is none, or if it is damaged;
     * who calls knows that nothing needs that one.
     *
     * @param above serial numbers up to this one were given
     */
    synchronized Ref allocate(long bucket, long above) throws IOException {
        if (state() != State.GOOD) {
            begin();
        }
        if (!surveyed) {
            survey();
        }
        lastSerial = Math.max(lastSerial, above);
        Ref ref = new Ref(place(), ++lastSerial);
        byte[] plaintext = new byte[Long.BYTES + SECRET];
        byte[] secret = sealing.bytes(SECRET);
        ByteBuffer.wrap(plaintext).putLong(bucket).put(secret);
        try {
            file.write(at(ref.slot), slot(ref, LIVE, plaintext));
        } catch (IOException e) {
            forget(ref.slot);
            Arrays.fill(secret, (byte) 0);
            throw e;
        } finally {
            Arrays.fill(plaintext, (byte) 0);
        }
        unforced.add(ref);
        remember(ref.slot, new Known(ref.serial, bucket, secret));
        return ref;
    }

    /** All of it is overwritten and gone, as if it had never been made. */
    synchronized void discard() throws IOException {
        file.erase();
        wipe();
        slots = 0;
        state = State.ABSENT;
    }

    private void begin() throws IOException {
        discard();
        id = sealing.bytes(ID);
        byte[] data = ByteBuffer.allocate(MAGIC.length + ID).put(MAGIC).put(id).array();
        file.write(
                0,
                ByteBuffer.allocate(SLOT)
                        .put(data)
                        .put(sealing.seal(key, data, CHECK))
                        .array());
        state = State.GOOD;
        forced = false;
        surveyed = true;
        slots = 0;
        free.clear();
    }

    /** A slot whose secret was destroyed, or one more at the end. */
    private long place() throws IOException {
        while (!free.isEmpty()) {
            long slot = free.remove();
            Known last = parse(slot, file.read(at(slot), SLOT));
            // A damaged one may hold the secret of a bucket that is in use.
            if (last != null && last.secret == null) {
                return slot;
            }
            if (last != null) {
                last.wipe();
            }
        }
        return slots++;
    }

    /**
     * Looks once for slots that can be used again and for the last serial number, from the end, where that mostly is, and so
     * opens few of them.
     */
    private void survey() throws IOException {
        free.clear();
        for (long end = slots; end > 0; end -= CHUNK) {
            long from = Math.max(0, end - CHUNK);
            byte[] chunk = file.read(at(from), (int) (end - from) * SLOT);
            for (int i = chunk.length / SLOT - 1; i >= 0; i--) {
                if (chunk[i * SLOT] == GONE) {
                    free.addFirst(from + i);
                }
                // Not believed before it opens, so that damage does not use up all numbers.
                if (ByteBuffer.wrap(chunk).getLong(i * SLOT + 1) > lastSerial) {
                    Known opened = parse(from + i, Arrays.copyOfRange(chunk, i * SLOT, (i + 1) * SLOT));
                    if (opened != null) {
                        opened.wipe();
                        lastSerial = opened.serial;
                    }
                }
            }
        }
        surveyed = true;
    }

    /** Before a transaction that uses them may commit. */
    synchronized void force(Collection<Ref> refs) throws IOException {
        if (refs.stream().anyMatch(lost::contains)) {
            throw new IOException("what was written before a failure of the disk is not known to be there");
        }
        if (refs.stream().noneMatch(unforced::contains)) {
            return;
        }
        sync();
    }

    private void sync() throws IOException {
        try {
            file.force();
        } catch (IOException e) {
            lost.addAll(unforced);
            unforced.clear();
            if (!forced) {
                // Its head may not be there either, and nobody can have used it.
                wipe();
                state = State.DAMAGED;
                slots = 0;
            }
            throw e;
        }
        forced = true;
        unforced.clear();
    }

    /**
     * What a transaction made that failed. Those that are lost cannot have been used, and their slots are free again.
     *
     * @return the others
     */
    synchronized List<Ref> abandon(Collection<Ref> refs) {
        List<Ref> kept = new ArrayList<>();
        for (Ref ref : refs) {
            if (!lost.remove(ref)) {
                kept.add(ref);
                continue;
            }
            forget(ref.slot);
            try {
                Known there = state == State.GOOD ? parse(ref.slot, file.read(at(ref.slot), SLOT)) : null;
                if (there != null && there.serial == ref.serial) {
                    there.wipe();
                    file.write(at(ref.slot), slot(ref, GONE, new byte[0]));
                    free.add(ref.slot);
                }
            } catch (IOException e) {
                log.debug("a slot that was not used stays as it is: {}", e.toString());
            }
        }
        return kept;
    }

    /**
     * Destroys secrets: out of memory at once, then over their places on disk. What is destroyed already stays so. After a
     * failure they count as destroyed in this process, and {@link #retry} goes on.
     */
    synchronized void destroy(Collection<Ref> refs) throws IOException {
        for (Ref ref : refs) {
            doomed.add(ref);
            unfinished = true;
            Known there = known.get(ref.slot);
            if (there != null && there.serial == ref.serial) {
                forget(ref.slot);
            }
        }
        retry();
    }

    boolean unfinished() {
        return unfinished;
    }

    synchronized void retry() throws IOException {
        if (doomed.isEmpty()) {
            return;
        }
        if (state() == State.GOOD) {
            Set<Ref> buried = new LinkedHashSet<>();
            for (Ref ref : doomed) {
                if (ref.slot < slots && isThere(ref)) {
                    file.write(at(ref.slot), slot(ref, GONE, new byte[0]));
                    buried.add(ref);
                }
            }
            sync();
            for (Ref ref : buried) {
                remember(ref.slot, new Known(ref.serial, 0, null));
                if (surveyed) {
                    free.add(ref.slot);
                }
            }
        }
        doomed.clear();
        unfinished = false;
    }

    /** Or was; a slot that does not open is taken for the one that was written there last. */
    private boolean isThere(Ref ref) throws IOException {
        Known now = parse(ref.slot, file.read(at(ref.slot), SLOT));
        if (now == null) {
            return true;
        }
        now.wipe();
        return now.serial == ref.serial;
    }

    /** Nobody uses it any more. */
    synchronized void close() {
        wipe();
        Arrays.fill(key, (byte) 0);
        file.close();
    }

    private void wipe() {
        known.values().forEach(Known::wipe);
        known.clear();
    }
}
