package im.parley.outbox;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads what {@link RecordOutput} wrote. Values were authentic when the vault opened them, so anything that does not
 * fit was written by another version: {@code UNSUPPORTED store.too-new} or {@code CORRUPT store.bad-record}. Not
 * thread-safe.
 */
public final class RecordInput {
    private final ByteArrayInputStream bytes;
    private final DataInputStream data;
    private final int version;

    /** @param newest the newest version the caller can read */
    public RecordInput(byte[] value, int newest) throws ProviderException {
        bytes = new ByteArrayInputStream(value);
        data = new DataInputStream(bytes);
        version = Math.max(bytes.read(), 0);
        if (version > newest) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "store.too-new",
                    "A record was written by a newer version of Parley. Start that version again; nothing was changed.");
        }
        if (version == 0) {
            throw bad(null);
        }
    }

    public int version() {
        return version;
    }

    public long number() throws ProviderException {
        try {
            return data.readLong();
        } catch (IOException e) {
            throw bad(e);
        }
    }

    public int count() throws ProviderException {
        long value = number();
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw bad(null);
        }
        return (int) value;
    }

    public boolean flag() throws ProviderException {
        int value = bytes.read();
        if (value != 0 && value != 1) {
            throw bad(null);
        }
        return value == 1;
    }

    public byte[] bytes() throws ProviderException {
        try {
            int length = data.readInt();
            if (length < 0 || length > bytes.available()) {
                throw bad(null);
            }
            return data.readNBytes(length);
        } catch (IOException e) {
            throw bad(e);
        }
    }

    public String text() throws ProviderException {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw bad(e);
        }
    }

    public List<String> texts() throws ProviderException {
        int count = count();
        if (count > bytes.available()) {
            throw bad(null);
        }
        List<String> values = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            values.add(text());
        }
        return values;
    }

    private static ProviderException bad(@org.jspecify.annotations.Nullable Throwable cause) {
        String text = "A stored record does not have the shape it was written with. It is left alone.";
        return cause == null
                ? new ProviderException(Kind.CORRUPT, "store.bad-record", text)
                : new ProviderException(Kind.CORRUPT, "store.bad-record", text, cause);
    }
}
