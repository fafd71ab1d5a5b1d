package im.parley.outbox;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes a record value: a version byte, then fields in a fixed order, big-endian, texts and lists behind their length.
 * Read back by {@link RecordInput}. Not thread-safe.
 */
public final class RecordOutput {
    /** What the vault takes: 1 MiB less the room for sealing. */
    private static final int MAX_BYTES = (1 << 20) - 64;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    private final DataOutputStream data = new DataOutputStream(bytes);

    /** @param version 1 to 255 */
    public RecordOutput(int version) {
        if (version < 1 || version > 255) {
            throw new IllegalArgumentException("a record version is 1 to 255");
        }
        bytes.write(version);
    }

    public RecordOutput number(long value) {
        try {
            data.writeLong(value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    public RecordOutput flag(boolean value) {
        bytes.write(value ? 1 : 0);
        return this;
    }

    public RecordOutput bytes(byte[] value) {
        try {
            data.writeInt(value.length);
            data.write(value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** @throws ProviderException {@code REJECTED store.bad-text} for lone surrogates, which no byte string can hold */
    public RecordOutput text(String value) throws ProviderException {
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
            byte[] utf8 = new byte[encoded.remaining()];
            encoded.get(utf8);
            return bytes(utf8);
        } catch (CharacterCodingException e) {
            throw new ProviderException(
                    Kind.REJECTED, "store.bad-text", "A text holds half a character and cannot be stored.", e);
        }
    }

    public RecordOutput texts(List<String> values) throws ProviderException {
        number(values.size());
        for (String value : values) {
            text(value);
        }
        return this;
    }

    /** @throws ProviderException {@code REJECTED store.too-large} above what a record holds */
    public byte[] done() throws ProviderException {
        if (bytes.size() > MAX_BYTES) {
            throw new ProviderException(
                    Kind.REJECTED, "store.too-large", "A record would need more than 1 MiB; nothing was stored.");
        }
        return bytes.toByteArray();
    }
}
