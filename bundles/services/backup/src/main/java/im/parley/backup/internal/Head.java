package im.parley.backup.internal;

import static java.nio.charset.StandardCharsets.US_ASCII;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Passphrase;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * The file {@code config}: how the passphrase opens the master key, which opens everything else.
 *
 * <pre>
 * parley-backup 1
 * id     32 hex digits
 * kdf    argon2id MEMORY-KIB PASSES LANES SALT-HEX
 * key    hex of nonce[24] seal(Argon2id(passphrase), master key; aad = the lines before)
 * proof  hex of HMAC-SHA256(head key, the lines before)
 * </pre>
 */
final class Head {
    static final String NAME = "config";
    static final int MAX_BYTES = 4_096;

    private static final String MAGIC = "parley-backup ";
    private static final int VERSION = 1;
    private static final int ID = 16;
    private static final int SALT = 16;
    private static final int LINES = 5;
    private static final HexFormat HEX = HexFormat.of();

    private final byte[] id;
    private final Stretch stretch;
    private final byte[] salt;
    private final byte[] sealedKey;
    private final String text;

    private Head(byte[] id, Stretch stretch, byte[] salt, byte[] sealedKey, String text) {
        this.id = id;
        this.stretch = stretch;
        this.salt = salt;
        this.sealedKey = sealedKey;
        this.text = text;
    }

    String id() {
        return HEX.formatHex(id);
    }

    byte[] bytes() {
        return text.getBytes(US_ASCII);
    }

    /** A new repository with keys of its own. */
    static Head create(char[] passphrase, Stretch stretch, SecureRandom random) throws ProviderException {
        byte[] id = random(random, ID);
        byte[] salt = random(random, SALT);
        byte[] master = random(random, RepositoryKeys.KEY);
        byte[] key = derive(passphrase, stretch, salt);
        try (RepositoryKeys keys = new RepositoryKeys(id, master, random)) {
            String before = before(id, stretch, salt);
            byte[] sealed = RepositoryKeys.seal(random, key, before.getBytes(US_ASCII), master);
            String proven = before + "key " + HEX.formatHex(sealed) + "\n";
            return new Head(
                    id,
                    stretch,
                    salt,
                    sealed,
                    proven + "proof " + HEX.formatHex(keys.proof(proven.getBytes(US_ASCII))) + "\n");
        } finally {
            Arrays.fill(key, (byte) 0);
            Arrays.fill(master, (byte) 0);
        }
    }

    private static byte[] random(SecureRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String before(byte[] id, Stretch stretch, byte[] salt) {
        return MAGIC + VERSION + "\nid " + HEX.formatHex(id) + "\nkdf argon2id " + stretch.memoryKib() + " "
                + stretch.passes() + " " + stretch.lanes() + " " + HEX.formatHex(salt) + "\n";
    }

    /** @throws ProviderException {@code UNSUPPORTED backup.too-new}, {@code CORRUPT backup.damaged} */
    static Head read(byte[] content) throws ProviderException {
        String text = new String(content, US_ASCII);
        String[] lines = text.split("\n", -1);
        if (text.startsWith(MAGIC) && !lines[0].equals(MAGIC + VERSION) && lines[0].matches(MAGIC + "[0-9]{1,9}")) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "backup.too-new",
                    "A newer version of Parley made this backup (" + lines[0] + "). Install that version.");
        }
        try {
            byte[] id = HEX.parseHex(value(lines, 1, "id"));
            String[] kdf = value(lines, 2, "kdf").split(" ", -1);
            Stretch stretch = new Stretch(Integer.parseInt(kdf[1]), Integer.parseInt(kdf[2]), Integer.parseInt(kdf[3]));
            byte[] salt = HEX.parseHex(kdf[4]);
            byte[] sealed = HEX.parseHex(value(lines, 3, "key"));
            byte[] proof = HEX.parseHex(value(lines, 4, "proof"));
            // Whatever could be written in two ways must be written in ours.
            String again = before(id, stretch, salt) + "key " + HEX.formatHex(sealed) + "\nproof "
                    + HEX.formatHex(proof) + "\n";
            if (again.equals(text) && id.length == ID && stretch.affordable() && lines.length == LINES + 1) {
                return new Head(id, stretch, salt, sealed, text);
            }
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
            // Told below.
        }
        throw Failures.damaged("its file " + NAME + " is not one");
    }

    private static String value(String[] lines, int line, String name) {
        if (!lines[line].startsWith(name + " ")) {
            throw new IllegalArgumentException(name);
        }
        return lines[line].substring(name.length() + 1);
    }

    /**
     * The keys, by the passphrase.
     *
     * @throws ProviderException {@code AUTHENTICATION backup.wrong-passphrase}
     */
    RepositoryKeys open(char[] passphrase, SecureRandom random) throws ProviderException {
        byte[] key = derive(passphrase, stretch, salt);
        byte @Nullable [] master = null;
        try {
            master = RepositoryKeys.open(key, before(id, stretch, salt).getBytes(US_ASCII), sealedKey);
            return proven(master, random);
        } catch (CipherException e) {
            throw new ProviderException(
                    Kind.AUTHENTICATION,
                    "backup.wrong-passphrase",
                    "That is not the passphrase of this backup, or its file " + NAME + " was changed.");
        } finally {
            Arrays.fill(key, (byte) 0);
            if (master != null) {
                Arrays.fill(master, (byte) 0);
            }
        }
    }

    /** The keys, by the master key. */
    RepositoryKeys proven(byte[] master, SecureRandom random) throws ProviderException {
        RepositoryKeys keys = new RepositoryKeys(id, master, random);
        int end = text.lastIndexOf("proof ");
        byte[] proof = keys.proof(text.substring(0, end).getBytes(US_ASCII));
        if (!MessageDigest.isEqual(proof, HEX.parseHex(text.substring(end + 6).strip()))) {
            keys.close();
            throw Failures.damaged("its file " + NAME + " was changed");
        }
        return keys;
    }

    private static byte[] derive(char[] passphrase, Stretch stretch, byte[] salt) throws ProviderException {
        byte[] bytes;
        try {
            bytes = Passphrase.bytes(passphrase);
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, "key.weak-passphrase", "The passphrase is not a text.");
        }
        try {
            return stretch.derive(bytes, salt);
        } finally {
            Arrays.fill(bytes, (byte) 0);
        }
    }
}
