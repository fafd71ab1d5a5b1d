package im.parley.files.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.AesGcmStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Encrypts and decrypts whole files on disk in a fixed amount of memory. Stateless. */
final class Sealing {
    private static final int BUFFER_BYTES = 256 * 1024;

    private Sealing() {}

    /** Told how many bytes are done; ends the work by throwing. */
    @FunctionalInterface
    interface Progress {
        void done(long bytes) throws ProviderException;
    }

    /**
     * @param sizeBytes of the encrypted file, with its tag
     */
    record Sealed(Sha256 sha256, Sha256 plaintextSha256, long sizeBytes) {}

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /**
     * Writes ciphertext and tag; durable when it returns.
     *
     * @param key and nonce never used before
     */
    static Sealed seal(FileChannel source, Pieces pieces, Path target, byte[] key, byte[] nonce, Progress progress)
            throws ProviderException {
        AesGcmStream stream = new AesGcmStream(key, nonce);
        MessageDigest plain = sha256();
        MessageDigest sealed = sha256();
        long[] done = {0};
        try (FileChannel out = create(target)) {
            pieces.copy(source, new byte[BUFFER_BYTES], (buffer, length) -> {
                plain.update(buffer, 0, length);
                stream.encrypt(buffer, 0, length);
                sealed.update(buffer, 0, length);
                write(out, buffer, length);
                done[0] += length;
                progress.done(done[0]);
            });
            byte[] tag = stream.tag();
            sealed.update(tag);
            write(out, tag, tag.length);
            force(out);
            return new Sealed(
                    Sha256.of(sealed.digest()), Sha256.of(plain.digest()), pieces.sizeBytes() + AesGcmStream.TAG);
        } catch (EOFException e) {
            throw new ProviderException(
                    Kind.REJECTED, "file.changed", "The file became shorter while it was read. Send it again.", e);
        } catch (IOException e) {
            throw Disk.reading(e);
        }
    }

    private static FileChannel create(Path target) throws IOException, ProviderException {
        try {
            return FileChannel.open(
                    target,
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE));
        } catch (IOException e) {
            throw Disk.writing(e);
        }
    }

    private static void write(FileChannel out, byte[] buffer, int length) throws ProviderException {
        try {
            ByteBuffer left = ByteBuffer.wrap(buffer, 0, length);
            while (left.hasRemaining()) {
                out.write(left);
            }
        } catch (IOException e) {
            throw Disk.writing(e);
        }
    }

    private static void force(FileChannel out) throws ProviderException {
        try {
            out.force(true);
        } catch (IOException e) {
            throw Disk.writing(e);
        }
    }

    /**
     * Reads the whole ciphertext and shows nothing of it.
     *
     * @throws ProviderException {@code CORRUPT blob.hash-mismatch} if it is another file; {@code CORRUPT file.bad-tag} if it
     *     is this one, but not what this key encrypts
     */
    static void check(Path sealed, Sha256 expected, byte[] key, byte[] nonce, Progress progress)
            throws ProviderException {
        AesGcmStream stream = new AesGcmStream(key, nonce);
        MessageDigest sha256 = sha256();
        byte[] buffer = new byte[BUFFER_BYTES];
        try (FileChannel in = FileChannel.open(sealed, StandardOpenOption.READ)) {
            long body = in.size() - AesGcmStream.TAG;
            long done = 0;
            while (done < body) {
                int n = (int) Math.min(buffer.length, body - done);
                Pieces.fill(in, done, buffer, n);
                sha256.update(buffer, 0, n);
                stream.authenticate(buffer, 0, n);
                done += n;
                progress.done(done);
            }
            byte[] tag = new byte[(int) Math.min(AesGcmStream.TAG, in.size())];
            Pieces.fill(in, Math.max(0, body), tag, tag.length);
            sha256.update(tag);
            if (!Sha256.of(sha256.digest()).equals(expected)) {
                throw new ProviderException(
                        Kind.CORRUPT,
                        "blob.hash-mismatch",
                        "What the file server sent is not the file that was announced. Nothing of it was kept.");
            }
            if (body < 0 || !stream.tagEquals(tag)) {
                throw new ProviderException(
                        Kind.CORRUPT,
                        "file.bad-tag",
                        "The file does not open with the key of the message. Ask for it to be sent again.");
            }
        } catch (IOException e) {
            throw Disk.reading(e);
        }
    }

    /**
     * Decrypts what {@link #check} found right, into a file beside the target, and moves it there when it is whole and durable.
     *
     * @param plaintextSha256 null if it was not said
     * @throws ProviderException {@code CORRUPT file.wrong-plaintext}; {@code REJECTED file.exists}
     */
    static void open(
            Path sealed,
            Path beside,
            Path target,
            boolean replace,
            @Nullable Sha256 plaintextSha256,
            byte[] key,
            byte[] nonce,
            Progress progress)
            throws ProviderException {
        AesGcmStream stream = new AesGcmStream(key, nonce);
        MessageDigest sha256 = sha256();
        byte[] buffer = new byte[BUFFER_BYTES];
        boolean moved = false;
        try (FileChannel in = FileChannel.open(sealed, StandardOpenOption.READ)) {
            Disk.createPrivate(beside);
            try (FileChannel out = create(beside)) {
                long body = in.size() - AesGcmStream.TAG;
                for (long done = 0; done < body; ) {
                    int n = (int) Math.min(buffer.length, body - done);
                    Pieces.fill(in, done, buffer, n);
                    stream.decrypt(buffer, 0, n);
                    sha256.update(buffer, 0, n);
                    write(out, buffer, n);
                    done += n;
                    progress.done(done);
                }
                force(out);
            }
            if (plaintextSha256 != null && !Sha256.of(sha256.digest()).equals(plaintextSha256)) {
                throw new ProviderException(
                        Kind.CORRUPT,
                        "file.wrong-plaintext",
                        "The file opens, but is another one than the message says. It was not kept.");
            }
            move(beside, target, replace);
            moved = true;
        } catch (IOException e) {
            throw Disk.reading(e);
        } finally {
            if (!moved) {
                Disk.remove(beside);
            }
        }
    }

    /** Whether exactly that file is there. */
    static boolean isFile(Path path, @Nullable Sha256 expected) throws ProviderException {
        if (expected == null || !Files.isRegularFile(path)) {
            return false;
        }
        MessageDigest sha256 = sha256();
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        try (FileChannel in = FileChannel.open(path, StandardOpenOption.READ)) {
            while (in.read(buffer) >= 0) {
                sha256.update(buffer.flip());
                buffer.clear();
            }
        } catch (IOException e) {
            throw Disk.reading(e);
        }
        return Sha256.of(sha256.digest()).equals(expected);
    }

    private static void move(Path from, Path target, boolean replace) throws ProviderException {
        try {
            if (!replace && Files.exists(target)) {
                throw Disk.exists();
            }
            Files.move(from, target, StandardCopyOption.ATOMIC_MOVE);
            Disk.syncFolder(target);
        } catch (IOException e) {
            throw Disk.writing(e);
        }
    }
}
