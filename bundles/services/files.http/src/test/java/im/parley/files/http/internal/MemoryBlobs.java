package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.PartialBlobs;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Instant;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/** A blob store as the contract wants it, which can be full, fail before it keeps something, and lose things. */
final class MemoryBlobs implements BlobStore, PartialBlobs {
    final NavigableMap<Sha256, byte[]> blobs = new ConcurrentSkipListMap<>();
    volatile @Nullable ProviderException failure;
    volatile @Nullable ProviderException failureAfterAdmission;

    final NavigableMap<Sha256, byte[]> begun = new ConcurrentSkipListMap<>();
    volatile Instant changed = Instant.ofEpochSecond(World.NOW);

    static Sha256 hash(byte[] bytes) {
        return Sha256.of(Hashes.sha256(bytes));
    }

    private void check() throws ProviderException {
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public Stored put(InputStream content, long maxBytes, Admission admission) throws ProviderException, IOException {
        check();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[1_000];
        for (int n = content.read(buffer); n >= 0; n = content.read(buffer)) {
            bytes.write(buffer, 0, n);
            if (bytes.size() > maxBytes) {
                throw new ProviderException(Kind.REJECTED, "blob.too-large", "Too large.");
            }
        }
        byte[] whole = bytes.toByteArray();
        admission.admit(hash(whole), whole.length);
        if (failureAfterAdmission != null) {
            throw failureAfterAdmission;
        }
        return new Stored(new Blob(hash(whole), whole.length), blobs.putIfAbsent(hash(whole), whole) == null);
    }

    @Override
    public void get(Sha256 hash, long from, long count, OutputStream to) throws ProviderException, IOException {
        byte[] bytes = blobs.get(hash);
        if (bytes == null) {
            throw new ProviderException(Kind.REJECTED, "blob.absent", "Absent.");
        }
        if (count == bytes.length && !hash(bytes).equals(hash)) {
            blobs.remove(hash);
            throw new ProviderException(Kind.CORRUPT, "blob.corrupt", "Damaged.");
        }
        to.write(bytes, (int) from, (int) count);
    }

    @Override
    public Optional<Blob> stat(Sha256 hash) throws ProviderException {
        check();
        byte[] bytes = blobs.get(hash);
        return bytes == null ? Optional.empty() : Optional.of(new Blob(hash, bytes.length));
    }

    @Override
    public boolean delete(Sha256 hash) throws ProviderException {
        check();
        return blobs.remove(hash) != null;
    }

    @Override
    public List<Blob> list(@Nullable Sha256 after, int limit) {
        return (after == null ? blobs : blobs.tailMap(after, false))
                .entrySet().stream()
                        .limit(limit)
                        .map(entry -> new Blob(entry.getKey(), entry.getValue().length))
                        .toList();
    }

    @Override
    public Usage usage() {
        return new Usage(
                blobs.size(),
                blobs.values().stream().mapToLong(each -> each.length).sum(),
                Long.MAX_VALUE);
    }

    @Override
    public long append(Sha256 name, long offset, InputStream content, long maxBytes)
            throws ProviderException, IOException {
        check();
        byte[] there = begun.getOrDefault(name, new byte[0]);
        if (there.length != offset) {
            throw new ProviderException(Kind.REJECTED, "partial.offset", "Another offset.");
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.write(there);
        try {
            for (int b = content.read(); b >= 0; b = content.read()) {
                all.write(b);
            }
        } finally {
            begun.put(name, all.toByteArray());
        }
        return all.size();
    }

    @Override
    public Optional<Partial> partial(Sha256 name) {
        return Optional.ofNullable(begun.get(name)).map(bytes -> new Partial(name, bytes.length, changed));
    }

    @Override
    public Stored complete(Sha256 name, Admission admission) throws ProviderException {
        byte[] whole = begun.getOrDefault(name, new byte[0]);
        admission.admit(hash(whole), whole.length);
        begun.remove(name);
        return new Stored(new Blob(hash(whole), whole.length), blobs.putIfAbsent(hash(whole), whole) == null);
    }

    @Override
    public boolean discard(Sha256 name) {
        return begun.remove(name) != null;
    }

    @Override
    public List<Partial> partials(@Nullable Sha256 after, int limit) {
        return (after == null ? begun : begun.tailMap(after, false))
                .entrySet().stream()
                        .limit(limit)
                        .map(entry -> new Partial(entry.getKey(), entry.getValue().length, changed))
                        .toList();
    }

    @Override
    public long partialBytes() {
        return begun.values().stream().mapToLong(each -> each.length).sum();
    }
}
