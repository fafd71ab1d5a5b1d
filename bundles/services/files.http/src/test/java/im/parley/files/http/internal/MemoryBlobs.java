package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/** A blob store as the contract wants it, which can be full, fail before it keeps something, and lose things. */
final class MemoryBlobs implements BlobStore {
    final NavigableMap<Sha256, byte[]> blobs = new ConcurrentSkipListMap<>();
    volatile @Nullable ProviderException failure;
    volatile @Nullable ProviderException failureAfterAdmission;

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
}
