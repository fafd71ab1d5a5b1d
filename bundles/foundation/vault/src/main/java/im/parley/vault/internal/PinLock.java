package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.vault.Vault;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The PIN's verifier and its back-off, in one sealed file. Each try is written down as a failure before it is judged, so
 * that neither a crash nor a pulled plug gives a free one. Not thread-safe: {@link LocalVault} calls it under its lock.
 */
final class PinLock {
    static final int FREE_TRIES = 5;
    static final long FIRST_WAIT_MILLIS = 30_000;
    static final long MAX_WAIT_MILLIS = 3_600_000;

    private static final byte[] MAGIC = "PVP1".getBytes(UTF_8);
    private static final int VERIFIER = 32;
    private static final int RECORD = 1 + KdfCost.SALT + KdfCost.BYTES + VERIFIER + 4 + 8;

    private record Record(boolean set, byte[] salt, KdfCost cost, byte[] verifier, int failures, long retryAtMillis) {
        Record failing(int count, long retryAt) {
            return new Record(set, salt, cost, verifier, count, retryAt);
        }
    }

    private final Path file;
    private final VaultKeys keys;
    private final Sealing sealing;
    private final InstantSource clock;
    private final KdfCost cost;
    private Record record;

    private PinLock(Path file, VaultKeys keys, Sealing sealing, InstantSource clock, KdfCost cost, Record record) {
        this.file = file;
        this.keys = keys;
        this.sealing = sealing;
        this.clock = clock;
        this.cost = cost;
        this.record = record;
    }

    /** Written once with the vault, so that a missing file is noticed and does not pass for "no PIN". */
    static void create(Path file, VaultKeys keys, Sealing sealing) throws ProviderException {
        write(file, keys, sealing, unset());
    }

    private static Record unset() {
        return new Record(false, new byte[KdfCost.SALT], KdfCost.DEFAULT, new byte[VERIFIER], 0, 0);
    }

    static PinLock open(Path file, VaultKeys keys, Sealing sealing, InstantSource clock, KdfCost cost)
            throws ProviderException {
        byte[] stored = PrivateFiles.load("read its PIN file", file, 4096);
        if (stored == null || !Arrays.equals(stored, 0, Math.min(4, stored.length), MAGIC, 0, 4)) {
            throw VaultKeys.tampered("The PIN file is gone or not one; restore it from a backup.");
        }
        byte[] key = keys.key("pin");
        try {
            ByteBuffer in = ByteBuffer.wrap(Sealing.open(key, data(keys), stored, MAGIC.length));
            if (in.remaining() != RECORD) {
                throw VaultKeys.tampered("The PIN file has a wrong length; restore it from a backup.");
            }
            boolean set = in.get() != 0;
            byte[] salt = new byte[KdfCost.SALT];
            in.get(salt);
            KdfCost stretch = KdfCost.read(in);
            byte[] verifier = new byte[VERIFIER];
            in.get(verifier);
            return new PinLock(
                    file,
                    keys,
                    sealing,
                    clock,
                    cost,
                    new Record(set, salt, stretch, verifier, in.getInt(), in.getLong()));
        } catch (CipherException e) {
            throw VaultKeys.tampered("The PIN file does not open; restore it from a backup.");
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private static byte[] data(VaultKeys keys) {
        return ByteBuffer.allocate(MAGIC.length + 16).put(MAGIC).put(keys.id()).array();
    }

    private static void write(Path file, VaultKeys keys, Sealing sealing, Record record) throws ProviderException {
        ByteBuffer out =
                ByteBuffer.allocate(RECORD).put((byte) (record.set ? 1 : 0)).put(record.salt);
        record.cost.write(out);
        out.put(record.verifier).putInt(record.failures).putLong(record.retryAtMillis);
        byte[] key = keys.key("pin");
        byte[] sealed = sealing.seal(key, data(keys), out.array());
        Arrays.fill(key, (byte) 0);
        byte[] content = ByteBuffer.allocate(MAGIC.length + sealed.length)
                .put(MAGIC)
                .put(sealed)
                .array();
        PrivateFiles.run("write its PIN file", () -> {
            PrivateFiles.replace(file, content);
        });
    }

    private void store(Record next) throws ProviderException {
        write(file, keys, sealing, next);
        record = next;
    }

    boolean isSet() {
        return record.set;
    }

    int failures() {
        return record.failures;
    }

    Instant retryAt() {
        return Instant.ofEpochMilli(retryAtMillis());
    }

    // A clock that was turned back must not lock anybody out for longer than the wait itself.
    private long retryAtMillis() {
        return Math.min(record.retryAtMillis, clock.millis() + wait(record.failures));
    }

    private static long wait(int failures) {
        int beyond = failures - FREE_TRIES;
        if (beyond < 0) {
            return 0;
        }
        return beyond > 10 ? MAX_WAIT_MILLIS : Math.min(MAX_WAIT_MILLIS, FIRST_WAIT_MILLIS << beyond);
    }

    static void checkFormat(char[] pin) throws ProviderException {
        if (!wellFormed(pin)) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "pin.format",
                    "A PIN has " + Vault.MIN_PIN_DIGITS + " to " + Vault.MAX_PIN_DIGITS + " digits and nothing else.");
        }
    }

    private static boolean wellFormed(char[] pin) {
        boolean digits = pin.length >= Vault.MIN_PIN_DIGITS && pin.length <= Vault.MAX_PIN_DIGITS;
        for (char c : pin) {
            digits &= c >= '0' && c <= '9';
        }
        return digits;
    }

    /** Returns if the PIN is right. */
    void check(char @Nullable [] pin) throws ProviderException {
        long now = clock.millis();
        if (now < retryAtMillis()) {
            throw new ProviderException(
                    Kind.AUTHENTICATION,
                    "pin.backoff",
                    "Too many wrong PINs. The status shows when the next try is allowed; nothing is deleted.");
        }
        if (pin == null) {
            throw wrong();
        }
        int failures = Math.min(record.failures, 1_000_000) + 1;
        store(record.failing(failures, now + wait(failures)));
        if (!wellFormed(pin) || !matches(pin)) {
            throw wrong();
        }
        store(record.failing(0, 0));
    }

    private static ProviderException wrong() {
        return new ProviderException(Kind.AUTHENTICATION, "pin.wrong", "That is not the PIN.");
    }

    private boolean matches(char[] pin) {
        byte[] derived = derive(pin, record.salt, record.cost);
        try {
            return MessageDigest.isEqual(derived, record.verifier);
        } finally {
            Arrays.fill(derived, (byte) 0);
        }
    }

    private static byte[] derive(char[] pin, byte[] salt, KdfCost cost) {
        byte[] digits = new byte[pin.length];
        for (int i = 0; i < pin.length; i++) {
            digits[i] = (byte) pin[i];
        }
        try {
            return cost.derive(digits, salt);
        } finally {
            Arrays.fill(digits, (byte) 0);
        }
    }

    /** @param pin well-formed, or null to remove it */
    void set(char @Nullable [] pin) throws ProviderException {
        if (pin == null) {
            store(unset());
            return;
        }
        byte[] salt = sealing.bytes(KdfCost.SALT);
        store(new Record(true, salt, cost, derive(pin, salt, cost), 0, 0));
    }
}
