package im.parley.files.http.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Who owns which blob since when, how much that is, and which tokens were used up. A blob is here before its bytes can be
 * seen and until they are gone, so that whatever a crash leaves is a record without bytes and never bytes without a
 * record. Thread-safe; blocks on the record store.
 */
final class Ownership {
    private static final int BLOBS = 1;
    private static final int OWNED = 2;
    private static final int CLAIMS = 3;
    private static final int USAGE = 4;
    private static final int USED_TOKENS = 5;
    private static final int BEGUN = 6;

    private static final int SWEPT_AT_ONCE = 100;
    private static final int MOST_BEGUN = 1_000;
    private static final int LONG = Long.BYTES;

    private final SealedSpace space;
    private final long quotaBytes;
    private final long quotaBlobs;

    Ownership(SealedSpace space, long quotaBytes, long quotaBlobs) {
        this.space = space;
        this.quotaBytes = quotaBytes;
        this.quotaBlobs = quotaBlobs;
    }

    /**
     * A blob as somebody owns it.
     *
     * @param uploaded seconds since the epoch
     */
    record Entry(Sha256 hash, long sizeBytes, MediaType type, long uploaded) {}

    /**
     * @param fresh false if it was owned by that key before
     */
    record Claim(Entry entry, boolean fresh) {}

    private record BlobRecord(long sizeBytes, long owners, MediaType type) {
        byte[] bytes() {
            return record(type.text(), sizeBytes, owners);
        }
    }

    private static byte[] record(String text, long... numbers) {
        byte[] tail = text.getBytes(StandardCharsets.US_ASCII);
        ByteBuffer buffer = ByteBuffer.allocate(LONG * numbers.length + tail.length);
        for (long number : numbers) {
            buffer.putLong(number);
        }
        return buffer.put(tail).array();
    }

    private static MediaType type(byte[] value, int numbers) {
        return new MediaType(
                new String(value, LONG * numbers, value.length - LONG * numbers, StandardCharsets.US_ASCII));
    }

    private static long number(byte[] value, int index) {
        return ByteBuffer.wrap(value).getLong(LONG * index);
    }

    private static RecordKey blobKey(Sha256 hash) {
        return RecordKey.of(BLOBS, hash.hex());
    }

    private static RecordKey claimKey(PublicKey owner, Sha256 hash) {
        return RecordKey.of(CLAIMS, hash.hex() + owner.hex());
    }

    private static byte[] order(long uploaded, Sha256 hash) {
        return ByteBuffer.allocate(LONG + Sha256.LENGTH)
                .putLong(uploaded)
                .put(hash.bytes())
                .array();
    }

    private static @Nullable BlobRecord blob(Tx tx, Sha256 hash) throws ProviderException {
        byte[] value = tx.get(blobKey(hash));
        return value == null ? null : new BlobRecord(number(value, 0), number(value, 1), type(value, 2));
    }

    /**
     * Makes the key an owner. The first one says the type.
     *
     * @throws ProviderException {@code EXHAUSTED quota.exceeded}
     */
    Claim claim(PublicKey owner, Sha256 hash, long sizeBytes, MediaType type, long now) throws ProviderException {
        return space.transact(tx -> {
            BlobRecord known = blob(tx, hash);
            byte[] claimed = tx.get(claimKey(owner, hash));
            if (claimed != null && known != null) {
                return new Claim(new Entry(hash, known.sizeBytes(), known.type(), number(claimed, 0)), false);
            }
            RecordKey usageKey = RecordKey.of(USAGE, owner.hex());
            byte[] usage = tx.get(usageKey);
            long bytes = (usage == null ? 0 : number(usage, 0)) + sizeBytes;
            long blobs = (usage == null ? 0 : number(usage, 1)) + 1;
            checkQuota(bytes, blobs);
            BlobRecord next = known == null
                    ? new BlobRecord(sizeBytes, 1, type)
                    : new BlobRecord(known.sizeBytes(), known.owners() + 1, known.type());
            tx.put(blobKey(hash), next.bytes());
            tx.put(claimKey(owner, hash), record("", now));
            tx.put(
                    RecordKey.of(OWNED, owner.hex(), order(now, hash)),
                    record(next.type().text(), next.sizeBytes()));
            tx.put(usageKey, record("", bytes, blobs));
            return new Claim(new Entry(hash, next.sizeBytes(), next.type(), now), true);
        });
    }

    private void checkQuota(long bytes, long blobs) throws ProviderException {
        if (bytes > quotaBytes || blobs > quotaBlobs) {
            throw new ProviderException(
                    Kind.EXHAUSTED,
                    "quota.exceeded",
                    "A key may own " + (quotaBytes >> 20) + " MiB in " + quotaBlobs
                            + " blobs here. Delete some of yours first.");
        }
    }

    /** Whether the key could own that much more. */
    void checkRoom(PublicKey owner, long sizeBytes) throws ProviderException {
        byte[] usage = space.get(RecordKey.of(USAGE, owner.hex()));
        checkQuota((usage == null ? 0 : number(usage, 0)) + sizeBytes, (usage == null ? 0 : number(usage, 1)) + 1);
    }

    /**
     * Counts an upload in pieces to the key from its first piece on, so that nobody has more of them than she could own.
     *
     * @param name of the upload
     * @param sizeBytes that it will have
     * @param most that a key may have at once
     * @param since seconds; what had no piece since then has ended
     * @throws ProviderException {@code EXHAUSTED quota.exceeded}
     */
    void begin(PublicKey owner, Sha256 name, long sizeBytes, int most, long since, long now) throws ProviderException {
        space.update(tx -> {
            byte[] usage = tx.get(RecordKey.of(USAGE, owner.hex()));
            long bytes = (usage == null ? 0 : number(usage, 0)) + sizeBytes;
            long blobs = (usage == null ? 0 : number(usage, 1)) + 1;
            int others = 0;
            for (Item item : tx.scan(RecordKey.all(BEGUN, owner.hex()), false, MOST_BEGUN)) {
                if (Arrays.equals(item.order(), name.bytes())) {
                    continue;
                }
                if (number(item.value(), 1) < since) {
                    tx.delete(RecordKey.of(BEGUN, owner.hex(), item.order()));
                } else {
                    bytes += number(item.value(), 0);
                    others++;
                }
            }
            checkQuota(bytes, blobs + others);
            if (others >= most) {
                throw new ProviderException(
                        Kind.EXHAUSTED,
                        "quota.exceeded",
                        "A key may have " + most + " uploads in pieces at once. Finish one of yours first.");
            }
            tx.put(RecordKey.of(BEGUN, owner.hex(), name.bytes()), record("", sizeBytes, now));
        });
    }

    /** The upload is complete, or was given up. */
    void end(PublicKey owner, Sha256 name) throws ProviderException {
        space.update(tx -> tx.delete(RecordKey.of(BEGUN, owner.hex(), name.bytes())));
    }

    /** What the key owns under that hash; empty if it does not. */
    Optional<Entry> owned(PublicKey owner, Sha256 hash) throws ProviderException {
        return space.transact(tx -> {
            byte[] claimed = tx.get(claimKey(owner, hash));
            BlobRecord known = blob(tx, hash);
            return claimed == null || known == null
                    ? Optional.empty()
                    : Optional.of(new Entry(hash, known.sizeBytes(), known.type(), number(claimed, 0)));
        });
    }

    /** Takes the key's claim back; without effect if it has none. */
    void release(PublicKey owner, Sha256 hash) throws ProviderException {
        space.update(tx -> release(tx, owner, hash));
    }

    private static void release(Tx tx, PublicKey owner, Sha256 hash) throws ProviderException {
        byte[] claimed = tx.get(claimKey(owner, hash));
        BlobRecord known = blob(tx, hash);
        if (claimed == null || known == null) {
            return;
        }
        tx.delete(claimKey(owner, hash));
        tx.delete(RecordKey.of(OWNED, owner.hex(), order(number(claimed, 0), hash)));
        if (known.owners() > 1) {
            tx.put(blobKey(hash), new BlobRecord(known.sizeBytes(), known.owners() - 1, known.type()).bytes());
        } else {
            tx.delete(blobKey(hash));
        }
        RecordKey usageKey = RecordKey.of(USAGE, owner.hex());
        byte[] usage = tx.get(usageKey);
        if (usage != null) {
            long blobs = number(usage, 1) - 1;
            if (blobs > 0) {
                tx.put(usageKey, record("", number(usage, 0) - known.sizeBytes(), blobs));
            } else {
                tx.delete(usageKey);
            }
        }
    }

    /** Takes the claim back and uses the token up, in one step. */
    void release(PublicKey owner, Sha256 hash, Tokens.Token token, long now) throws ProviderException {
        RecordKey used = usedKey(token, hash);
        space.update(tx -> {
            release(tx, owner, hash);
            tx.put(used, new byte[0]);
            // What has expired cannot be used again anyway.
            for (Item item : tx.scan(
                    new RecordKey.Range(USED_TOKENS, "", new byte[0], RecordKey.order(now)), false, SWEPT_AT_ONCE)) {
                tx.delete(RecordKey.of(USED_TOKENS, "", item.order()));
            }
        });
    }

    boolean isUsed(Tokens.Token token, Sha256 hash) throws ProviderException {
        return space.get(usedKey(token, hash)) != null;
    }

    /** By expiration, so that old ones are found; a token of several hashes is good once for each. */
    private static RecordKey usedKey(Tokens.Token token, Sha256 hash) {
        byte[] both = Hashes.sha256((token.id() + hash.hex()).getBytes(StandardCharsets.US_ASCII));
        return RecordKey.of(
                USED_TOKENS,
                "",
                ByteBuffer.allocate(LONG + both.length)
                        .putLong(token.expiration())
                        .put(both)
                        .array());
    }

    /** How many keys own the blob, 0 if nobody does. */
    long owners(Sha256 hash) throws ProviderException {
        byte[] value = space.get(blobKey(hash));
        return value == null ? 0 : number(value, 1);
    }

    boolean owns(PublicKey owner, Sha256 hash) throws ProviderException {
        return space.get(claimKey(owner, hash)) != null;
    }

    /** Size and type; empty if nobody owns it. */
    Optional<Entry> find(Sha256 hash) throws ProviderException {
        byte[] value = space.get(blobKey(hash));
        return value == null ? Optional.empty() : Optional.of(new Entry(hash, number(value, 0), type(value, 2), 0));
    }

    /**
     * What a key owns, newest first.
     *
     * @param after the last one of the page before; null for the start
     * @param since seconds, inclusive
     * @param until seconds, inclusive
     * @return empty also if the key does not own {@code after}
     */
    List<Entry> list(PublicKey owner, @Nullable Sha256 after, long since, long until, int limit)
            throws ProviderException {
        return space.transact(tx -> {
            byte[] to = RecordKey.order(until == Long.MAX_VALUE ? until : until + 1);
            if (after != null) {
                byte[] claimed = tx.get(claimKey(owner, after));
                if (claimed == null) {
                    return List.of();
                }
                byte[] place = order(number(claimed, 0), after);
                to = Arrays.compareUnsigned(place, to) < 0 ? place : to;
            }
            List<Entry> entries = new ArrayList<>();
            for (Item item :
                    tx.scan(new RecordKey.Range(OWNED, owner.hex(), RecordKey.order(since), to), true, limit)) {
                ByteBuffer order = ByteBuffer.wrap(item.order());
                long uploaded = order.getLong();
                byte[] hash = new byte[Sha256.LENGTH];
                order.get(hash);
                entries.add(new Entry(Sha256.of(hash), number(item.value(), 0), type(item.value(), 1), uploaded));
            }
            return entries;
        });
    }
}
