package im.parley.storage.derby;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.Address;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventWriter;
import im.parley.protocol.GrammarLimits;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Between events and rows. A row carries a keyed checksum over all its columns, so that a changed byte anywhere, also in
 * the signature, is found at the next reading; tag values are indexed as keyed 64-bit hashes, so that nobody outside can
 * choose values that collide. Thread-safe.
 */
final class EventCodec {
    private static final String HMAC = "HmacSHA256";
    private static final int CHECK_BYTES = 16;
    /** An event that was read once is read back whatever the limits of today are. */
    private static final GrammarLimits UNLIMITED =
            new GrammarLimits(Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE, 1, 0, false);

    /** Never fed, only copied: a Mac is not thread-safe but copying an idle one is. */
    private final Mac tagHash;

    private final Mac checksum;

    /** @param databaseKey not kept; two keys for different uses are derived from it */
    EventCodec(byte[] databaseKey) {
        tagHash = mac(derive(databaseKey, "parley-derby-tag-v1"));
        checksum = mac(derive(databaseKey, "parley-derby-row-v1"));
    }

    private static byte[] derive(byte[] key, String use) {
        return mac(key).doFinal(use.getBytes(StandardCharsets.US_ASCII));
    }

    private static Mac mac(byte[] key) {
        try {
            Mac mac = Mac.getInstance(HMAC);
            mac.init(new SecretKeySpec(key, HMAC));
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has " + HMAC, e);
        }
    }

    private static Mac copy(Mac mac) {
        try {
            return (Mac) mac.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException("the HMAC of the platform cannot be copied", e);
        }
    }

    /** A row of the table of events, without its position. */
    record Content(
            byte[] order,
            EventId id,
            long idPrefix,
            long author,
            int kind,
            long receivedAtMillis,
            byte[] check,
            byte[] body) {}

    /** A row as it was read. */
    record Row(long position, Content content) {
        byte[] order() {
            return content.order();
        }
    }

    /** An event ready to be written. */
    record Prepared(
            Event event,
            Content content,
            long[] tagKeys,
            @Nullable Address address,
            long addressKey) {}

    /**
     * @throws ProviderException {@code REJECTED event.unreadable} if the event would not read back as it is: its id is not
     *     its hash, or its text is not what the grammar allows
     */
    Prepared prepare(Event event, long receivedAtMillis) throws ProviderException {
        byte[] body;
        try {
            String json = EventWriter.write(event);
            body = json.getBytes(StandardCharsets.UTF_8);
            if (!parse(body).equals(event)) {
                throw unreadable();
            }
        } catch (ProtocolException | IllegalArgumentException | CharacterCodingException e) {
            throw unreadable();
        }
        byte[] order = OrderKey.of(event.createdAt(), event.id());
        long author = prefix(event.pubkey());
        byte[] check = check(order, event.id(), author, event.kind(), receivedAtMillis, body);
        Content content =
                new Content(order, event.id(), prefix(event.id()), author, event.kind(), receivedAtMillis, check, body);
        Address address = Kinds.address(event).orElse(null);
        return new Prepared(event, content, tagKeys(event), address, address == null ? 0 : key(address));
    }

    private static ProviderException unreadable() {
        return new ProviderException(
                Kind.REJECTED,
                "event.unreadable",
                "An event was refused because it would not read back as it is: its id or its text is not valid.");
    }

    /** The event of a row; empty if the row is not what was written. */
    Optional<Event> decode(Content row) {
        try {
            byte[] check = check(row.order(), row.id(), row.author(), row.kind(), row.receivedAtMillis(), row.body());
            if (!MessageDigest.isEqual(check, row.check()) || row.idPrefix() != prefix(row.id())) {
                return Optional.empty();
            }
            Event event = parse(row.body());
            return event.id().equals(row.id()) ? Optional.of(event) : Optional.empty();
        } catch (ProtocolException | IllegalArgumentException | CharacterCodingException e) {
            return Optional.empty();
        }
    }

    private static Event parse(byte[] body) throws ProtocolException, CharacterCodingException {
        String json = StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(body))
                .toString();
        Event event = EventReader.read(json, UNLIMITED);
        EventId id = EventHash.id(event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content());
        if (!id.equals(event.id())) {
            throw new ProtocolException("id", "the id is not the hash of the event");
        }
        return event;
    }

    private byte[] check(byte[] order, EventId id, long author, int kind, long receivedAtMillis, byte[] body) {
        Mac mac = copy(checksum);
        mac.update(order);
        mac.update(id.bytes());
        mac.update(ByteBuffer.allocate(20)
                .putLong(author)
                .putInt(kind)
                .putLong(receivedAtMillis)
                .flip());
        return Arrays.copyOf(mac.doFinal(body), CHECK_BYTES);
    }

    /** The first eight bytes, as a narrow column to find a row by; whoever finds one compares the rest. */
    static long prefix(EventId id) {
        return ByteBuffer.wrap(id.bytes()).getLong();
    }

    /** As for ids. */
    static long prefix(PublicKey author) {
        return ByteBuffer.wrap(author.bytes()).getLong();
    }

    /** One key per different pair of a letter and a first value. */
    long[] tagKeys(Event event) {
        Set<Long> keys = new HashSet<>();
        for (List<String> tag : event.tags()) {
            if (tag.size() > 1 && isLetter(tag.get(0))) {
                keys.add(key(tag.get(0).charAt(0), tag.get(1)));
            }
        }
        return keys.stream().mapToLong(Long::longValue).toArray();
    }

    private static boolean isLetter(String name) {
        return name.length() == 1
                && (name.charAt(0) >= 'a' && name.charAt(0) <= 'z' || name.charAt(0) >= 'A' && name.charAt(0) <= 'Z');
    }

    long key(char letter, String value) {
        return keyed(letter, value);
    }

    /** Addresses live among the tags, under a letter that no tag has. */
    long key(Address address) {
        return keyed('\0', address.coordinate());
    }

    private long keyed(char letter, String value) {
        Mac mac = copy(tagHash);
        mac.update((byte) letter);
        return ByteBuffer.wrap(mac.doFinal(value.getBytes(StandardCharsets.UTF_8)))
                .getLong();
    }
}
