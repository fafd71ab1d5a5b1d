package im.parley.storage.lmdb;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventWriter;
import im.parley.protocol.GrammarLimits;
import im.parley.protocol.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Between rows and what is in them: a type, the time of receipt, and the event as JSON or the two keys of a tombstone, sealed
 * together and bound to the position. So a row that was changed anywhere, or lies in another's place, does not open.
 * Thread-safe.
 */
final class EventCodec {
    private static final byte EVENT = 1;
    private static final byte TOMBSTONE = 2;
    private static final int HEAD = 1 + Long.BYTES;

    /** An event that was read once is read back whatever the limits of today are. */
    private static final GrammarLimits UNLIMITED =
            new GrammarLimits(Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE, 1, 0, false);

    private final Seal seal;

    EventCodec(Seal seal) {
        this.seal = seal;
    }

    /** An event ready to be written. */
    record Prepared(Event event, long receivedAtMillis, byte[] body) {}

    /**
     * @throws ProviderException {@code REJECTED event.unreadable} if the event would not read back as it is: its id is not
     *     its hash, or its text is not what the grammar allows
     */
    static Prepared prepare(Event event, long receivedAtMillis) throws ProviderException {
        try {
            byte[] body = EventWriter.write(event).getBytes(StandardCharsets.UTF_8);
            EventId id = EventHash.id(event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content());
            if (!id.equals(event.id()) || !parse(body, 0).equals(event)) {
                throw unreadable();
            }
            return new Prepared(event, receivedAtMillis, body);
        } catch (ProtocolException | IllegalArgumentException | CharacterCodingException e) {
            throw unreadable();
        }
    }

    private static ProviderException unreadable() {
        return new ProviderException(
                Kind.REJECTED,
                "event.unreadable",
                "An event was refused because it would not read back as it is: its id or its text is not valid.");
    }

    private static Event parse(byte[] bytes, int from) throws ProtocolException, CharacterCodingException {
        String json = StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes, from, bytes.length - from))
                .toString();
        return EventReader.read(json, UNLIMITED);
    }

    byte[] row(long position, Prepared event) {
        return seal(
                position,
                ByteBuffer.allocate(HEAD + event.body().length)
                        .put(EVENT)
                        .putLong(event.receivedAtMillis())
                        .put(event.body()));
    }

    byte[] row(long position, Tombstone tombstone, long receivedAtMillis) {
        return seal(
                position,
                ByteBuffer.allocate(HEAD + EventId.LENGTH + PublicKey.LENGTH)
                        .put(TOMBSTONE)
                        .putLong(receivedAtMillis)
                        .put(tombstone.target().bytes())
                        .put(tombstone.author().bytes()));
    }

    private byte[] seal(long position, ByteBuffer row) {
        return seal.seal(EventKeys.number(position), row.array());
    }

    /** What the row holds; null if it is not what was written there. */
    EventStore.@Nullable Row open(long position, byte @Nullable [] row) {
        byte[] plain = row == null ? null : seal.open(EventKeys.number(position), row);
        if (plain == null || plain.length < HEAD) {
            return null;
        }
        ByteBuffer head = ByteBuffer.wrap(plain);
        byte type = head.get();
        long receivedAtMillis = head.getLong();
        try {
            if (type == EVENT) {
                return new EventStore.Row.Stored(position, receivedAtMillis, parse(plain, HEAD));
            }
            if (type == TOMBSTONE && plain.length == HEAD + EventId.LENGTH + PublicKey.LENGTH) {
                byte[] target = new byte[EventId.LENGTH];
                byte[] author = new byte[PublicKey.LENGTH];
                head.get(target).get(author);
                return new EventStore.Row.Deleted(
                        position, receivedAtMillis, new Tombstone(EventId.of(target), PublicKey.of(author)));
            }
            return null;
        } catch (ProtocolException | IllegalArgumentException | CharacterCodingException e) {
            return null;
        }
    }
}
