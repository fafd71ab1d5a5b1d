package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.Utf8;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The secrets of one instance as files; see the package for the format. Not thread-safe: called under the vault's lock. */
final class SecretStore {
    private static final byte[] MAGIC = "PVS1".getBytes(UTF_8);
    private static final int NODE = 0;
    private static final int USER = 1;
    /** Under a passphrase, taken over from another vault: that vault's key lies before the rest. */
    private static final int MOVED = 2;

    private static final int KEY = 32;

    /** First byte of a portable secret. */
    private static final int PORTABLE_VALUE = 0;

    private static final int PORTABLE_USER = 1;
    private static final int MAX_FILE = Secrets.MAX_BYTES + 4096;

    private final Path dir;
    private final String instance;
    private final VaultKeys keys;
    private final Sealing sealing;
    private final KdfCost cost;

    /** A file taken apart and checked by its outer layer. */
    private record Stored(int flags, byte[] body) {}

    SecretStore(Path secretsDir, String instance, VaultKeys keys, Sealing sealing, KdfCost cost) {
        this.dir = secretsDir.resolve(keys.fileName(instance));
        this.instance = instance;
        this.keys = keys;
        this.sealing = sealing;
        this.cost = cost;
    }

    private Path file(String name) {
        return dir.resolve(keys.fileName(instance, name));
    }

    /** An editor or a file manager may leave a file of its own; only names we give are secrets. */
    static boolean isOurs(Path file) {
        String name = file.getFileName().toString();
        return name.length() == 32 && name.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    private byte[] key() {
        return keys.key("secret/" + instance);
    }

    List<String> names() throws ProviderException {
        List<Path> files = PrivateFiles.call("list its secrets", () -> {
            if (!Files.isDirectory(dir)) {
                return List.of();
            }
            try (Stream<Path> all = Files.list(dir)) {
                return all.filter(SecretStore::isOurs).toList();
            }
        });
        List<String> names = new ArrayList<>();
        byte[] key = key();
        try {
            for (Path file : files) {
                byte[] stored = PrivateFiles.load("read a secret", file, MAX_FILE);
                if (stored == null) {
                    continue;
                }
                String name = name(key, stored);
                if (!file.equals(file(name))) {
                    throw VaultKeys.tampered("A secret lies in the place of another; restore it from a backup.");
                }
                names.add(name);
            }
        } finally {
            Arrays.fill(key, (byte) 0);
        }
        return List.copyOf(names);
    }

    private String name(byte[] key, byte[] stored) throws ProviderException {
        int length = sealedNameLength(stored);
        try {
            byte[] sealed = Arrays.copyOfRange(stored, 7, 7 + length);
            return Utf8.decode(Sealing.open(key, nameData(stored[4]), sealed, 0));
        } catch (CipherException e) {
            throw VaultKeys.tampered("A secret's name does not open; restore it from a backup.");
        }
    }

    private static int sealedNameLength(byte[] stored) throws ProviderException {
        if (stored.length < 7 || !Arrays.equals(stored, 0, 4, MAGIC, 0, 4)) {
            throw VaultKeys.tampered("A file among the secrets is none; restore it from a backup.");
        }
        int length = (stored[5] & 0xff) << 8 | stored[6] & 0xff;
        if (stored.length < 7 + length) {
            throw VaultKeys.tampered("A secret was cut off; restore it from a backup.");
        }
        return length;
    }

    private byte[] nameData(int flags) {
        return data(flags, 'n', VaultKeys.lengthPrefixed(instance));
    }

    private byte[] valueData(int flags, String name) {
        return data(flags, 'v', VaultKeys.lengthPrefixed(instance, name));
    }

    private static byte[] data(int flags, char part, byte[] rest) {
        return ByteBuffer.allocate(MAGIC.length + 2 + rest.length)
                .put(MAGIC)
                .put((byte) flags)
                .put((byte) part)
                .put(rest)
                .array();
    }

    private @Nullable Stored load(String name, byte[] key) throws ProviderException {
        Path file = file(name);
        byte[] stored = PrivateFiles.load("read a secret", file, MAX_FILE);
        if (stored == null) {
            return null;
        }
        int flags = stored.length > 4 ? stored[4] : -1;
        if (!name(key, stored).equals(name) || flags < NODE || flags > MOVED) {
            throw VaultKeys.tampered("A secret lies in the place of another; restore it from a backup.");
        }
        try {
            return new Stored(flags, Sealing.open(key, valueData(flags, name), stored, 7 + sealedNameLength(stored)));
        } catch (CipherException e) {
            throw VaultKeys.tampered("A secret does not open; restore it from a backup.");
        }
    }

    private Stored existing(String name, byte[] key) throws ProviderException {
        Stored stored = load(name, key);
        if (stored == null) {
            throw new ProviderException(Kind.REJECTED, "secret.missing", "There is no secret of that name.");
        }
        return stored;
    }

    boolean isProtected(String name) throws ProviderException {
        byte[] key = key();
        try {
            Stored stored = existing(name, key);
            Arrays.fill(stored.body, (byte) 0);
            return stored.flags != NODE;
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    /** @param userKey from {@link #unlock}; null if none */
    byte[] read(String name, byte @Nullable [] userKey) throws ProviderException {
        byte[] key = key();
        try {
            Stored stored = existing(name, key);
            if (stored.flags == NODE) {
                return stored.body;
            }
            if (userKey == null) {
                throw locked();
            }
            int moved = stored.flags == MOVED ? KEY : 0;
            return Sealing.open(userKey, valueData(USER, name), stored.body, moved + KdfCost.SALT + KdfCost.BYTES);
        } catch (CipherException e) {
            // The outer layer was fine, so the secret was written anew since it was unlocked.
            throw locked();
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    static ProviderException locked() {
        return new ProviderException(
                Kind.AUTHENTICATION, "vault.locked", "This secret is locked; unlock it with its passphrase.");
    }

    /** The key that opens the value, null if it needs none; the caller overwrites it. */
    byte @Nullable [] unlock(String name, char[] passphrase) throws ProviderException {
        byte[] key = key();
        try {
            Stored stored = existing(name, key);
            if (stored.flags == NODE) {
                Arrays.fill(stored.body, (byte) 0);
                return null;
            }
            ByteBuffer in = ByteBuffer.wrap(stored.body);
            byte[] sealedUnder = key.clone();
            if (stored.flags == MOVED) {
                in.get(sealedUnder);
            }
            byte[] salt = new byte[KdfCost.SALT];
            in.get(salt);
            KdfCost stretch = KdfCost.read(in);
            byte[] userKey = userKey(sealedUnder, passphrase, salt, stretch);
            Arrays.fill(sealedUnder, (byte) 0);
            try {
                byte[] value = Sealing.open(userKey, valueData(USER, name), stored.body, in.position());
                Arrays.fill(value, (byte) 0);
                return userKey;
            } catch (CipherException e) {
                Arrays.fill(userKey, (byte) 0);
                throw new ProviderException(
                        Kind.AUTHENTICATION, "vault.wrong-passphrase", "That is not the passphrase.");
            }
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private static byte[] userKey(byte[] key, char[] passphrase, byte[] salt, KdfCost cost) throws ProviderException {
        byte[] bytes;
        try {
            bytes = Utf8.encode(passphrase);
        } catch (CipherException e) {
            throw new ProviderException(
                    Kind.REJECTED, "vault.bad-passphrase", "The passphrase is not a text: it has half of a character.");
        }
        byte[] stretched = {};
        try {
            stretched = cost.derive(bytes, salt);
            return Hkdf.extract(stretched, key);
        } finally {
            Arrays.fill(bytes, (byte) 0);
            Arrays.fill(stretched, (byte) 0);
        }
    }

    void write(String name, byte[] value, char @Nullable [] passphrase) throws ProviderException {
        if (value.length > Secrets.MAX_BYTES) {
            throw new ProviderException(
                    Kind.REJECTED, "secret.too-large", "A secret has at most " + Secrets.MAX_BYTES + " bytes.");
        }
        byte[] key = key();
        byte[] body = value;
        try {
            if (passphrase != null) {
                byte[] salt = sealing.bytes(KdfCost.SALT);
                byte[] userKey = userKey(key, passphrase, salt, cost);
                byte[] sealed = sealing.seal(userKey, valueData(USER, name), value);
                Arrays.fill(userKey, (byte) 0);
                ByteBuffer out = ByteBuffer.allocate(KdfCost.SALT + KdfCost.BYTES + sealed.length)
                        .put(salt);
                cost.write(out);
                body = out.put(sealed).array();
            }
            store(name, passphrase == null ? NODE : USER, key, body);
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private void store(String name, int flags, byte[] key, byte[] body) throws ProviderException {
        byte[] sealedName = sealing.seal(key, nameData(flags), name.getBytes(UTF_8));
        byte[] sealedBody = sealing.seal(key, valueData(flags, name), body);
        byte[] content = ByteBuffer.allocate(7 + sealedName.length + sealedBody.length)
                .put(MAGIC)
                .put((byte) flags)
                .putShort((short) sealedName.length)
                .put(sealedName)
                .put(sealedBody)
                .array();
        PrivateFiles.run("write a secret", () -> {
            PrivateFiles.directory(dir);
            PrivateFiles.replace(file(name), content);
        });
    }

    /** See {@link im.parley.vault.SecretArchive#take}. */
    byte[] take(String name) throws ProviderException {
        byte[] key = key();
        Stored stored = null;
        try {
            stored = existing(name, key);
            byte[] before = stored.flags == USER ? key : new byte[0];
            return ByteBuffer.allocate(1 + before.length + stored.body.length)
                    .put((byte) (stored.flags == NODE ? PORTABLE_VALUE : PORTABLE_USER))
                    .put(before)
                    .put(stored.body)
                    .array();
        } finally {
            Arrays.fill(key, (byte) 0);
            if (stored != null) {
                Arrays.fill(stored.body, (byte) 0);
            }
        }
    }

    /** See {@link im.parley.vault.SecretArchive#put}. */
    void put(String name, byte[] portable) throws ProviderException {
        boolean value = portable.length > 0 && portable[0] == PORTABLE_VALUE;
        boolean user =
                portable.length > KEY + KdfCost.SALT + KdfCost.BYTES + Sealing.OVERHEAD && portable[0] == PORTABLE_USER;
        if (!value && !user) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "secret.not-portable",
                    "That is no secret of another vault that this version can take over.");
        }
        byte[] key = key();
        byte[] body = Arrays.copyOfRange(portable, 1, portable.length);
        try {
            store(name, value ? NODE : MOVED, key, body);
        } finally {
            Arrays.fill(key, (byte) 0);
            Arrays.fill(body, (byte) 0);
        }
    }

    void delete(String name) throws ProviderException {
        PrivateFiles.run("delete a secret", () -> {
            PrivateFiles.delete(file(name));
        });
    }
}
