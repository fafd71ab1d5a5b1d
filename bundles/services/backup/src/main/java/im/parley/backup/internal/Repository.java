package im.parley.backup.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One opened backup directory. A snapshot counts from the moment its own file has its name, which is the last thing that is
 * written; until then everything else is litter that {@link #sweep} removes or the next snapshot uses. Used by one thread.
 *
 * <pre>
 * config                     see {@link Head}
 * chunks/ab/abcd…            nonce[24], seal(length u32, data, zeros): always {@value #CHUNK_FILE} bytes
 * snapshots/0000000000000001 nonce[24], seal(length u32, {@link Manifest}, zeros): multiples of {@value #CHUNK_FILE} bytes
 * </pre>
 */
final class Repository implements AutoCloseable {
    static final int CHUNK_FILE = 32 * 1024;
    /** Most data of one chunk. */
    static final int CHUNK = CHUNK_FILE - RepositoryKeys.OVERHEAD - Integer.BYTES;

    static final String CHUNKS = "chunks";
    static final String SNAPSHOTS = "snapshots";

    private static final int NAME = 64;
    private static final int NUMBER = 16;
    private static final int MAX_SNAPSHOT = 1 << 28;

    private final Folder folder;
    private final String id;
    private final RepositoryKeys keys;
    private final Set<String> touched = new HashSet<>();

    private Repository(Folder folder, String id, RepositoryKeys keys) {
        this.folder = folder;
        this.id = id;
        this.keys = keys;
    }

    /** Null if there is none. */
    static @Nullable Head head(Folder folder) throws ProviderException {
        try {
            byte[] content = folder.read(Head.NAME, Head.MAX_BYTES);
            return content == null ? null : Head.read(content);
        } catch (IOException e) {
            throw Failures.io("be read", e);
        }
    }

    /** Whether a new repository may be made there: what a killed creation leaves behind does no harm. */
    static boolean isFree(Folder folder) throws ProviderException {
        try {
            return Set.of(FolderLock.NAME, Head.NAME + ".tmp").containsAll(folder.list(""));
        } catch (IOException e) {
            throw Failures.io("look into the directory", e);
        }
    }

    static Repository create(Folder folder, char[] passphrase, Stretch stretch, SecureRandom random)
            throws ProviderException {
        Head head = Head.create(passphrase, stretch, random);
        RepositoryKeys keys = head.open(passphrase, random);
        try {
            folder.write(Head.NAME, head.bytes());
            folder.sync("");
        } catch (IOException e) {
            keys.close();
            throw Failures.io("be begun", e);
        }
        return new Repository(folder, head.id(), keys);
    }

    static Repository open(Folder folder, Head head, char[] passphrase, SecureRandom random) throws ProviderException {
        return new Repository(folder, head.id(), head.open(passphrase, random));
    }

    static Repository open(Folder folder, Head head, byte[] master, SecureRandom random) throws ProviderException {
        return new Repository(folder, head.id(), head.proven(master, random));
    }

    String id() {
        return id;
    }

    RepositoryKeys keys() {
        return keys;
    }

    @Override
    public void close() {
        keys.close();
    }

    // ---- Chunks

    private static String file(String name) {
        return CHUNKS + "/" + name.substring(0, 2) + "/" + name;
    }

    /**
     * Stores data under its name unless it is there and opens: no snapshot is built on a damaged chunk, and what is damaged
     * heals while the node still has it.
     *
     * @return whether it was written
     */
    boolean put(String name, byte[] data) throws ProviderException {
        try {
            byte[] stored = folder.read(file(name), CHUNK_FILE);
            if (stored != null && opened(name, stored) != null) {
                return false;
            }
        } catch (IOException e) {
            // Larger than a chunk, or not to be read: written anew, or told by the write.
        }
        try {
            folder.write(file(name), keys.sealChunk(name, padded(data, CHUNK_FILE)));
            touched.add(CHUNKS + "/" + name.substring(0, 2));
            return true;
        } catch (IOException e) {
            throw Failures.io("write a chunk", e);
        }
    }

    /** @throws ProviderException {@code CORRUPT backup.damaged} if it is missing or another */
    byte[] get(String name) throws ProviderException {
        byte[] data = opened(name, read(file(name), CHUNK_FILE));
        if (data == null) {
            throw Failures.damaged("the chunk " + name + " does not open");
        }
        return data;
    }

    /** Damaged if it is missing, too large, or on a part of the disk that cannot be read. */
    private byte[] read(String file, int maxBytes) throws ProviderException {
        try {
            byte[] stored = folder.read(file, maxBytes);
            if (stored != null) {
                return stored;
            }
            throw Failures.damaged("the file " + file + " is missing");
        } catch (IOException e) {
            throw Failures.damaged("the file " + file + " cannot be read (" + e + ")");
        }
    }

    private byte @Nullable [] opened(String name, byte[] stored) {
        if (stored.length != CHUNK_FILE) {
            return null;
        }
        try {
            byte[] data = unpadded(keys.openChunk(name, stored));
            return data != null && keys.name(data).equals(name) ? data : null;
        } catch (CipherException e) {
            return null;
        }
    }

    private static byte[] padded(byte[] data, int bucket) {
        int sealed = Integer.BYTES + data.length + RepositoryKeys.OVERHEAD;
        int size = (sealed + bucket - 1) / bucket * bucket - RepositoryKeys.OVERHEAD;
        return ByteBuffer.allocate(size).putInt(data.length).put(data).array();
    }

    private static byte @Nullable [] unpadded(byte[] padded) {
        if (padded.length < Integer.BYTES) {
            return null;
        }
        int length = ByteBuffer.wrap(padded).getInt();
        return length < 0 || length > padded.length - Integer.BYTES
                ? null
                : Arrays.copyOfRange(padded, Integer.BYTES, Integer.BYTES + length);
    }

    // ---- Snapshots

    private static String file(long number) {
        return SNAPSHOTS + "/" + String.format(Locale.ROOT, "%0" + NUMBER + "d", number);
    }

    /** Oldest first. */
    List<Long> numbers() throws ProviderException {
        try {
            List<Long> numbers = new ArrayList<>();
            for (String name : folder.list(SNAPSHOTS)) {
                if (name.matches("[0-9]{" + NUMBER + "}")) {
                    numbers.add(Long.parseLong(name));
                }
            }
            Collections.sort(numbers);
            return numbers;
        } catch (IOException e) {
            throw Failures.io("list its snapshots", e);
        }
    }

    /** The last step: whatever it names is on disk before, and so is the snapshot when this returns. */
    long add(Manifest manifest) throws ProviderException {
        byte[] sealed = keys.sealSnapshot(manifest.number(), padded(manifest.write(), CHUNK_FILE));
        try {
            for (String directory : touched) {
                folder.sync(directory);
            }
            folder.sync(CHUNKS);
            folder.sync("");
            touched.clear();
            folder.write(file(manifest.number()), sealed);
            folder.sync(SNAPSHOTS);
            folder.sync("");
            return sealed.length;
        } catch (IOException e) {
            throw Failures.io("write the snapshot", e);
        }
    }

    /** @throws ProviderException {@code CORRUPT backup.damaged} */
    Manifest manifest(long number) throws ProviderException {
        try {
            byte[] data = unpadded(keys.openSnapshot(number, read(file(number), MAX_SNAPSHOT)));
            if (data != null) {
                return Manifest.read(number, data);
            }
        } catch (CipherException e) {
            // Told below.
        }
        throw Failures.damaged("the snapshot " + number + " does not open");
    }

    /**
     * Removes snapshots, oldest first, then the chunks that no other one needs. Killed at any moment it leaves whole what is
     * left.
     *
     * @return how many chunks went
     * @throws ProviderException {@code CORRUPT backup.damaged} if one that stays does not open: what it needs is not known
     */
    int keepOnly(Set<Long> kept) throws ProviderException {
        Set<String> needed = new HashSet<>();
        for (long number : kept) {
            needed.addAll(manifest(number).chunkNames());
        }
        try {
            for (long number : numbers()) {
                if (!kept.contains(number)) {
                    folder.delete(file(number));
                }
            }
            folder.sync(SNAPSHOTS);
            int removed = 0;
            for (String directory : folder.list(CHUNKS)) {
                removed += sweep(CHUNKS + "/" + directory, needed);
            }
            sweep(SNAPSHOTS, needed);
            return removed;
        } catch (IOException e) {
            throw Failures.io("remove what is old", e);
        }
    }

    /** Removes chunks that are not needed, and half-written files; others' files stay. */
    private int sweep(String directory, Set<String> needed) throws IOException {
        int removed = 0;
        for (String name : folder.list(directory)) {
            boolean unneeded = name.length() == NAME && name.matches("[0-9a-f]+") && !needed.contains(name);
            if (unneeded || name.endsWith(".tmp")) {
                folder.delete(directory + "/" + name);
                removed += unneeded ? 1 : 0;
            }
        }
        return removed;
    }
}
