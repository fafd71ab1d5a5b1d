package im.parley.backup.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.HmacSha256;
import im.parley.cipher.XChaCha20Poly1305;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;

/** The keys of one repository, all made from its master key by purpose. Thread-safe until {@link #close}. */
final class RepositoryKeys implements AutoCloseable {
    static final int KEY = 32;
    static final int OVERHEAD = XChaCha20Poly1305.NONCE + XChaCha20Poly1305.TAG;
    private static final String PREFIX = "parley-backup-1/";

    private final byte[] id;
    private final SecureRandom random;
    private final byte[] master;
    private final byte[] nameKey;
    private final byte[] chunkKey;
    private final byte[] snapshotKey;
    private final byte[] boundaryKey;
    private final byte[] headKey;

    /** @param master 32 bytes; copied */
    RepositoryKeys(byte[] id, byte[] master, SecureRandom random) {
        this.id = id.clone();
        this.random = random;
        this.master = master.clone();
        this.nameKey = key("name");
        this.chunkKey = key("chunk");
        this.snapshotKey = key("snapshot");
        this.boundaryKey = key("boundary");
        this.headKey = key("head");
    }

    private byte[] key(String purpose) {
        return Hkdf.derive(id, master, (PREFIX + purpose).getBytes(UTF_8), KEY);
    }

    /** A copy; the caller overwrites it. */
    byte[] master() {
        return master.clone();
    }

    /** What stands for some bytes: 64 hex digits that nobody can compute who only guesses the bytes. */
    String name(byte[] data) {
        return HexFormat.of().formatHex(HmacSha256.mac(nameKey, data));
    }

    /** 32 bits that a record's key alone decides. */
    int boundary(byte[] recordKey) {
        return ByteBuffer.wrap(HmacSha256.mac(boundaryKey, recordKey)).getInt();
    }

    /** Proof that a head was written by whoever has the key. */
    byte[] proof(byte[] head) {
        return HmacSha256.mac(headKey, head);
    }

    byte[] sealChunk(String name, byte[] padded) {
        return seal(random, chunkKey, data("chunk", HexFormat.of().parseHex(name)), padded);
    }

    byte[] openChunk(String name, byte[] sealed) throws CipherException {
        return open(chunkKey, data("chunk", HexFormat.of().parseHex(name)), sealed);
    }

    byte[] sealSnapshot(long number, byte[] padded) {
        return seal(random, snapshotKey, data("snapshot", bytes(number)), padded);
    }

    byte[] openSnapshot(long number, byte[] sealed) throws CipherException {
        return open(snapshotKey, data("snapshot", bytes(number)), sealed);
    }

    private static byte[] bytes(long number) {
        return ByteBuffer.allocate(Long.BYTES).putLong(number).array();
    }

    private byte[] data(String what, byte[] which) {
        byte[] purpose = (PREFIX + what).getBytes(UTF_8);
        return ByteBuffer.allocate(purpose.length + id.length + which.length)
                .put(purpose)
                .put(id)
                .put(which)
                .array();
    }

    /** Nonce, then ciphertext and tag. */
    static byte[] seal(SecureRandom random, byte[] key, byte[] associatedData, byte[] plaintext) {
        byte[] nonce = new byte[XChaCha20Poly1305.NONCE];
        random.nextBytes(nonce);
        byte[] sealed = XChaCha20Poly1305.seal(key, nonce, associatedData, plaintext);
        byte[] result = Arrays.copyOf(nonce, nonce.length + sealed.length);
        System.arraycopy(sealed, 0, result, nonce.length, sealed.length);
        return result;
    }

    static byte[] open(byte[] key, byte[] associatedData, byte[] sealed) throws CipherException {
        if (sealed.length < OVERHEAD) {
            throw new CipherException("crypto.bad-payload", "The sealed value is shorter than its nonce and tag.");
        }
        return XChaCha20Poly1305.open(
                key,
                Arrays.copyOf(sealed, XChaCha20Poly1305.NONCE),
                associatedData,
                Arrays.copyOfRange(sealed, XChaCha20Poly1305.NONCE, sealed.length));
    }

    @Override
    public void close() {
        for (byte[] key : new byte[][] {master, nameKey, chunkKey, snapshotKey, boundaryKey, headKey}) {
            Arrays.fill(key, (byte) 0);
        }
    }
}
