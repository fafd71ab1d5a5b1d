package im.parley.backup.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Space;
import im.parley.vault.SpaceArchive;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.List;

/** The data of some chunks, one after the other. Used by one thread. */
final class ChunkStream extends InputStream {
    private final Repository repository;
    private final Iterator<String> names;
    private final Meter meter;
    private byte[] chunk = {};
    private int at;

    ChunkStream(Repository repository, List<String> names, Meter meter) {
        this.repository = repository;
        this.names = names.iterator();
        this.meter = meter;
    }

    /** What a chunk cannot be read with, on its way through a stream. */
    private static final class Damage extends IOException {
        private static final long serialVersionUID = 1L;

        private final transient ProviderException reason;

        Damage(ProviderException reason) {
            super(reason.getMessage());
            this.reason = reason;
        }
    }

    private boolean more() throws IOException {
        while (at == chunk.length) {
            if (!names.hasNext()) {
                return false;
            }
            try {
                chunk = repository.get(names.next());
            } catch (ProviderException e) {
                throw new Damage(e);
            }
            at = 0;
            meter.step();
        }
        return true;
    }

    @Override
    public int read() throws IOException {
        return more() ? chunk[at++] & 0xff : -1;
    }

    @Override
    public int read(byte[] into, int from, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!more()) {
            return -1;
        }
        int part = Math.min(length, chunk.length - at);
        System.arraycopy(chunk, at, into, from, part);
        at += part;
        return part;
    }

    /** Takes the records of a stream apart, as {@link ChunkCutter} made them; how many there were. */
    static long records(InputStream stream, SpaceArchive.Sink sink) throws ProviderException, IOException {
        DataInputStream in = new DataInputStream(stream);
        long records = 0;
        for (int length = in.read(); length >= 0; length = in.read()) {
            byte[] key = new byte[length];
            in.readFully(key);
            int size = in.readInt();
            if (length == 0 || size < 0 || size > Space.MAX_VALUE_BYTES) {
                throw new EOFException("no record");
            }
            byte[] value = new byte[size];
            in.readFully(value);
            sink.record(key, value);
            records++;
        }
        return records;
    }

    /**
     * Shows every record of a space.
     *
     * @throws ProviderException {@code CORRUPT backup.damaged} also if there are fewer or more than there were
     */
    static void records(Repository repository, Manifest.StoredSpace space, Meter meter, SpaceArchive.Sink sink)
            throws ProviderException {
        long records;
        try (ChunkStream in = new ChunkStream(repository, space.chunks(), meter)) {
            records = records(in, sink);
        } catch (Damage e) {
            throw e.reason;
        } catch (IOException e) {
            throw Failures.damaged("the records of " + space.id() + " are cut off");
        }
        if (records != space.records()) {
            throw Failures.damaged(space.id() + " had " + space.records() + " records and has " + records);
        }
    }
}
