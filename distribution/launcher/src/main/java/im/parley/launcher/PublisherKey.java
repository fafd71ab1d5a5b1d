package im.parley.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A publisher's key pair in a file of mode 0600: the PEM blocks {@code PRIVATE KEY} (PKCS #8) and {@code PUBLIC KEY}
 * (X.509), as openssl writes them. Whoever has the file signs as the publisher; it belongs on no server.
 */
public final class PublisherKey {
    private static final int MAX_BYTES = 16 * 1024;
    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    private PublisherKey() {}

    /**
     * Makes a new key in a file that must not exist.
     *
     * @return the public key, 32 bytes as hex
     * @throws LauncherException {@code trust.key-exists}, {@code trust.bad-key}
     */
    public static String generate(Path file) throws LauncherException {
        String what = "No key was made.";
        Path name = file.getFileName();
        if (name == null || name.toString().isBlank() || name.toString().chars().anyMatch(Character::isISOControl)) {
            throw new LauncherException(
                    "trust.bad-file", what, "That is no name of a file.", "Name a file that is not there yet.");
        }
        byte[] secret = new byte[0];
        try {
            KeyPair pair = KeyPairGenerator.getInstance(Ed25519.NAME).generateKeyPair();
            byte[] encoded = pair.getPrivate().getEncoded();
            secret = joined(
                    pem("PRIVATE KEY", encoded),
                    pem("PUBLIC KEY", pair.getPublic().getEncoded()));
            Arrays.fill(encoded, (byte) 0);
            try (FileChannel channel = FileChannel.open(
                    file,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                ByteBuffer buffer = ByteBuffer.wrap(secret);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            return Ed25519.hex(pair.getPublic());
        } catch (FileAlreadyExistsException e) {
            throw new LauncherException(
                    "trust.key-exists",
                    what,
                    "There is a file " + file + " already.",
                    "Name another file; a key that was used must not be overwritten.",
                    e);
        } catch (GeneralSecurityException | IOException e) {
            throw bad(what, file + ": " + e.getMessage(), e);
        } finally {
            Arrays.fill(secret, (byte) 0);
        }
    }

    /**
     * Reads a key pair.
     *
     * @throws LauncherException {@code trust.bad-key}, also if others may read the file
     */
    public static KeyPair read(Path file) throws LauncherException {
        String what = "The key was not read.";
        byte[] content = new byte[0];
        byte[] secret = new byte[0];
        try {
            if (Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS::contains)) {
                throw new IOException("others may read or write it; chmod 600 it");
            }
            content = content(file);
            secret = block(content, "PRIVATE KEY");
            KeyFactory factory = KeyFactory.getInstance(Ed25519.NAME);
            PrivateKey key = factory.generatePrivate(new PKCS8EncodedKeySpec(secret));
            return new KeyPair(Ed25519.publicKey(Ed25519.hex(block(content, "PUBLIC KEY"))), key);
        } catch (GeneralSecurityException | IOException e) {
            // The cause may hold what it could not read.
            throw bad(what, file + ": " + reason(e), null);
        } finally {
            Arrays.fill(content, (byte) 0);
            Arrays.fill(secret, (byte) 0);
        }
    }

    /**
     * The public half of a file that has the block {@code PUBLIC KEY}; the private one may be there too.
     *
     * @return 32 bytes as hex
     * @throws LauncherException {@code trust.bad-key}
     */
    public static String readPublic(Path file) throws LauncherException {
        byte[] content = new byte[0];
        try {
            content = content(file);
            return Ed25519.hex(block(content, "PUBLIC KEY"));
        } catch (IOException e) {
            throw bad("The key was not read.", file + ": " + reason(e), null);
        } finally {
            Arrays.fill(content, (byte) 0);
        }
    }

    private static String reason(Exception e) {
        if (e instanceof NoSuchFileException) {
            return "there is no such file";
        }
        return e instanceof IOException ? String.valueOf(e.getMessage()) : "it holds no Ed25519 key pair";
    }

    private static byte[] content(Path file) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new IOException("it is too large for a key");
        }
        return Files.readAllBytes(file);
    }

    private static byte[] block(byte[] content, String name) throws IOException {
        byte[] begin = ascii("-----BEGIN " + name + "-----");
        byte[] end = ascii("-----END " + name + "-----");
        int from = indexOf(content, begin, 0);
        int to = from < 0 ? -1 : indexOf(content, end, from);
        if (to < 0) {
            throw new IOException("it has no block " + name);
        }
        byte[] body = Arrays.copyOfRange(content, from + begin.length, to);
        try {
            return Base64.getMimeDecoder().decode(body);
        } catch (IllegalArgumentException e) {
            throw new IOException("its block " + name + " is no Base64");
        } finally {
            Arrays.fill(body, (byte) 0);
        }
    }

    private static int indexOf(byte[] content, byte[] part, int from) {
        for (int i = from; i + part.length <= content.length; i++) {
            if (Arrays.equals(content, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        return -1;
    }

    private static byte[] pem(String name, byte[] encoded) {
        byte[] body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encode(encoded);
        byte[] pem =
                joined(joined(ascii("-----BEGIN " + name + "-----\n"), body), ascii("\n-----END " + name + "-----\n"));
        Arrays.fill(body, (byte) 0);
        return pem;
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static LauncherException bad(String what, String why, @Nullable Throwable cause) {
        return new LauncherException(
                "trust.bad-key",
                what,
                why + ".",
                "./parley trust keygen FILE makes a key pair; whoever verifies needs the public half only.",
                cause);
    }
}
