package im.parley.backup.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.lifecycle.ProviderException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/**
 * What a snapshot consists of. Numbers are big-endian.
 *
 * <pre>
 * version u8 = 1, createdAt u64 ms
 * count u32 of secrets: instance text, name text, length u32, portable secret
 * count u32 of spaces:  id text, key[32], records u64, count u32 of chunks: name[32]
 * text = length u16, UTF-8
 * </pre>
 *
 * @param number of the snapshot
 * @param createdAt epoch milliseconds
 */
record Manifest(long number, long createdAt, List<PortableSecret> secrets, List<StoredSpace> spaces)
        implements AutoCloseable {
    private static final int VERSION = 1;
    private static final int NAME = 32;
    private static final int MANY = 1 << 24;
    private static final HexFormat HEX = HexFormat.of();

    Manifest {
        secrets = List.copyOf(secrets);
        spaces = List.copyOf(spaces);
    }

    /** @param portable see {@link im.parley.vault.SecretArchive#take} */
    record PortableSecret(String instance, String name, byte[] portable) {}

    /**
     * @param key of the space, 32 bytes
     * @param chunks their names, in order; their data one after the other are the records, see {@link ChunkCutter}
     */
    record StoredSpace(String id, byte[] key, long records, List<String> chunks) {
        StoredSpace {
            chunks = List.copyOf(chunks);
        }
    }

    Set<String> chunkNames() {
        Set<String> names = new HashSet<>();
        spaces.forEach(space -> names.addAll(space.chunks()));
        return names;
    }

    long records() {
        return spaces.stream().mapToLong(StoredSpace::records).sum();
    }

    byte[] write() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(VERSION);
            out.writeLong(createdAt);
            out.writeInt(secrets.size());
            for (PortableSecret secret : secrets) {
                text(out, secret.instance());
                text(out, secret.name());
                out.writeInt(secret.portable().length);
                out.write(secret.portable());
            }
            out.writeInt(spaces.size());
            for (StoredSpace space : spaces) {
                text(out, space.id());
                out.write(space.key());
                out.writeLong(space.records());
                out.writeInt(space.chunks().size());
                for (String chunk : space.chunks()) {
                    out.write(HEX.parseHex(chunk));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(UTF_8);
        out.writeShort(bytes.length);
        out.write(bytes);
    }

    static Manifest read(long number, byte[] content) throws ProviderException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(content))) {
            if (in.readUnsignedByte() != VERSION) {
                throw new IOException("another version");
            }
            long createdAt = in.readLong();
            List<PortableSecret> secrets = new ArrayList<>();
            for (int left = count(in); left > 0; left--) {
                secrets.add(new PortableSecret(text(in), text(in), bytes(in, count(in))));
            }
            List<StoredSpace> spaces = new ArrayList<>();
            for (int left = count(in); left > 0; left--) {
                String id = text(in);
                byte[] key = bytes(in, RepositoryKeys.KEY);
                long records = in.readLong();
                List<String> chunks = new ArrayList<>();
                for (int more = count(in); more > 0; more--) {
                    chunks.add(HEX.formatHex(bytes(in, NAME)));
                }
                spaces.add(new StoredSpace(id, key, records, chunks));
            }
            return new Manifest(number, createdAt, secrets, spaces);
        } catch (IOException e) {
            throw Failures.damaged("the snapshot " + number + " is none of this version");
        }
    }

    private static int count(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MANY) {
            throw new IOException("out of range");
        }
        return count;
    }

    private static String text(DataInputStream in) throws IOException {
        return new String(bytes(in, in.readUnsignedShort()), UTF_8);
    }

    private static byte[] bytes(DataInputStream in, int length) throws IOException {
        byte[] bytes = in.readNBytes(length);
        if (bytes.length != length) {
            throw new IOException("cut off");
        }
        return bytes;
    }

    /** Overwrites its keys and secrets. */
    @Override
    public void close() {
        secrets.forEach(secret -> Arrays.fill(secret.portable(), (byte) 0));
        spaces.forEach(space -> Arrays.fill(space.key(), (byte) 0));
    }

    /** Without what is secret. */
    @Override
    public String toString() {
        return "Manifest[" + number + "]";
    }
}
