package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.HmacSha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The vault's root key, made from the device key; everything else is derived from it by purpose. Thread-safe. */
final class VaultKeys {
    /** Name of the systemd credential that replaces the key file. */
    static final String CREDENTIAL = "parley-device-key";

    private static final Logger log = LoggerFactory.getLogger(VaultKeys.class);
    private static final byte[] HEAD_MAGIC = "PVH1".getBytes(UTF_8);
    private static final byte[] CHECK = "parley".getBytes(UTF_8);
    private static final int ID = 16;
    private static final int KEY = 32;
    private static final int MAX_CREDENTIAL = 4096;

    private final byte[] id;
    private final byte[] root;

    private VaultKeys(byte[] id, byte[] deviceKey) {
        this.id = id;
        this.root = Hkdf.extract(id, deviceKey);
    }

    byte[] id() {
        return id.clone();
    }

    /** 32 bytes for one purpose; the caller overwrites them. */
    byte[] key(String purpose) {
        return Hkdf.expand(root, ("parley-vault-1/" + purpose).getBytes(UTF_8), KEY);
    }

    /** 32 hex digits that stand for a name in a path. */
    String fileName(String... parts) {
        byte[] key = key("names");
        ByteBuffer message = ByteBuffer.wrap(lengthPrefixed(parts));
        byte[] mac = HmacSha256.mac(key, message.array());
        Arrays.fill(key, (byte) 0);
        return HexFormat.of().formatHex(mac, 0, 16);
    }

    static byte[] lengthPrefixed(String... parts) {
        int length = 0;
        byte[][] encoded = new byte[parts.length][];
        for (int i = 0; i < parts.length; i++) {
            encoded[i] = parts[i].getBytes(UTF_8);
            length += 2 + encoded[i].length;
        }
        ByteBuffer buffer = ByteBuffer.allocate(length);
        for (byte[] part : encoded) {
            buffer.putShort((short) part.length).put(part);
        }
        return buffer.array();
    }

    /**
     * Opens the vault of that directory, or makes one if there is none.
     *
     * @param onNew runs before a new vault counts as made
     * @throws ProviderException {@code UNAVAILABLE vault.no-device-key} if there is a vault and its key is not here;
     *     {@code AUTHENTICATION vault.wrong-device-key}; {@code CORRUPT vault.tampered}
     */
    static VaultKeys open(
            Path vaultDir, Path stateDir, UnaryOperator<@Nullable String> env, Sealing sealing, OnNew onNew)
            throws ProviderException {
        Path head = vaultDir.resolve("head");
        PrivateFiles.run("make its directory", () -> {
            PrivateFiles.directory(vaultDir);
        });
        byte[] stored = PrivateFiles.load("read its head", head, 4096);
        byte[] credential = credential(env);
        if (stored == null) {
            return create(vaultDir, head, stateDir, credential, sealing, onNew);
        }
        if (stored.length < HEAD_MAGIC.length + ID + Sealing.OVERHEAD
                || !Arrays.equals(stored, 0, HEAD_MAGIC.length, HEAD_MAGIC, 0, HEAD_MAGIC.length)) {
            throw tampered("Its head is not one that this version can read.");
        }
        byte[] id = Arrays.copyOfRange(stored, HEAD_MAGIC.length, HEAD_MAGIC.length + ID);
        Path file = keyFile(stateDir, id);
        byte[] deviceKey =
                credential != null ? credential : PrivateFiles.load("read the device key", file, MAX_CREDENTIAL);
        if (deviceKey == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "vault.no-device-key",
                    "The data directory holds a vault, but its device key " + file
                            + " is not here, and without it nothing can be read. Copy that file from the machine or the"
                            + " backup the data comes from, or hand the key in as the systemd credential "
                            + CREDENTIAL
                            + ". To begin anew instead, choose an empty data directory; this one is left alone.");
        }
        if (credential == null) {
            warnIfOthersRead(file);
        }
        VaultKeys keys = new VaultKeys(id, deviceKey);
        Arrays.fill(deviceKey, (byte) 0);
        byte[] key = keys.key("check");
        try {
            Sealing.open(key, headData(id), stored, HEAD_MAGIC.length + ID);
        } catch (CipherException e) {
            throw new ProviderException(
                    Kind.AUTHENTICATION,
                    "vault.wrong-device-key",
                    "The device key does not belong to this vault, or the vault's head was changed. Use the key file of the"
                            + " machine the data comes from, or restore the head from a backup.");
        } finally {
            Arrays.fill(key, (byte) 0);
        }
        return keys;
    }

    /** What else belongs to a new vault. */
    @FunctionalInterface
    interface OnNew {
        void made(VaultKeys keys) throws ProviderException;
    }

    private static VaultKeys create(
            Path vaultDir, Path head, Path stateDir, byte @Nullable [] credential, Sealing sealing, OnNew onNew)
            throws ProviderException {
        if (PrivateFiles.call("look into its directory", () -> holdsSecrets(vaultDir))) {
            throw tampered("There are secrets but the head is gone. Restore it from a backup.");
        }
        byte[] id = sealing.bytes(ID);
        byte[] deviceKey = credential == null ? sealing.bytes(KEY) : credential;
        if (credential == null) {
            Path file = keyFile(stateDir, id);
            // First the key, last the head: a crash between leaves a key without a vault, never the reverse.
            PrivateFiles.run("write the device key", () -> {
                PrivateFiles.directory(PrivateFiles.parent(file));
                PrivateFiles.replace(file, deviceKey);
            });
        }
        VaultKeys keys = new VaultKeys(id, deviceKey);
        Arrays.fill(deviceKey, (byte) 0);
        onNew.made(keys);
        byte[] key = keys.key("check");
        byte[] sealed = sealing.seal(key, headData(id), CHECK);
        Arrays.fill(key, (byte) 0);
        byte[] content = ByteBuffer.allocate(HEAD_MAGIC.length + ID + sealed.length)
                .put(HEAD_MAGIC)
                .put(id)
                .put(sealed)
                .array();
        PrivateFiles.run("write its head", () -> {
            PrivateFiles.replace(head, content);
        });
        return keys;
    }

    private static boolean holdsSecrets(Path vaultDir) throws IOException {
        Path secrets = vaultDir.resolve("secrets");
        if (!Files.isDirectory(secrets)) {
            return false;
        }
        try (Stream<Path> files = Files.walk(secrets)) {
            return files.anyMatch(file -> Files.isRegularFile(file) && SecretStore.isOurs(file));
        }
    }

    private static byte[] headData(byte[] id) {
        return ByteBuffer.allocate(HEAD_MAGIC.length + ID)
                .put(HEAD_MAGIC)
                .put(id)
                .array();
    }

    private static Path keyFile(Path stateDir, byte[] id) {
        return stateDir.resolve("devices").resolve(HexFormat.of().formatHex(id) + ".key");
    }

    private static byte @Nullable [] credential(UnaryOperator<@Nullable String> env) throws ProviderException {
        String dir = env.apply("CREDENTIALS_DIRECTORY");
        if (dir == null || dir.isEmpty()) {
            return null;
        }
        byte[] credential = PrivateFiles.load(
                "read the credential " + CREDENTIAL, Path.of(dir).resolve(CREDENTIAL), MAX_CREDENTIAL);
        if (credential != null && credential.length < KEY) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "vault.bad-device-key",
                    "The systemd credential " + CREDENTIAL
                            + " has fewer than 32 bytes. Make one with 32 random bytes.");
        }
        return credential;
    }

    private static void warnIfOthersRead(Path file) {
        try {
            Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
            permissions.removeAll(Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE));
            if (!permissions.isEmpty()) {
                log.warn("The device key {} can be used by other users of this machine; set its mode to 0600", file);
            }
        } catch (IOException | UnsupportedOperationException e) {
            log.debug("mode of the device key is not known: {}", e.toString());
        }
    }

    static ProviderException tampered(String detail) {
        return new ProviderException(
                Kind.CORRUPT,
                "vault.tampered",
                "The vault is not as it was written: the disk is damaged or somebody changed it. " + detail);
    }
}
