package im.parley.storage.lmdb;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.protocol.Address;
import im.parley.protocol.Kinds;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bouncycastle.crypto.macs.SipHash;
import org.bouncycastle.crypto.params.KeyParameter;

/** Keys and values of the index of events. Thread-safe. */
final class EventKeys {
    /** Length of the order of queries in a key. */
    static final int ORDER = Long.BYTES + EventId.LENGTH;

    private static final int SIP_KEY = 16;
    private static final byte[] NOTHING = {};

    private final KeyParameter tagKey;
    private final KeyParameter authorKey;
    private final KeyParameter graveKey;

    /** @param key 64 bytes, not kept */
    EventKeys(byte[] key) {
        tagKey = new KeyParameter(key, 0, SIP_KEY);
        authorKey = new KeyParameter(key, SIP_KEY, SIP_KEY);
        graveKey = new KeyParameter(key, 2 * SIP_KEY, SIP_KEY);
    }

    /** An event as an index shows it. */
    record Found(long createdAt, EventId id, long position, int kind) {
        byte[] order() {
            return EventKeys.order(createdAt, id);
        }

        /** Value of an index entry. */
        byte[] entry() {
            return ByteBuffer.allocate(Long.BYTES + Short.BYTES)
                    .putLong(position)
                    .putShort((short) kind)
                    .array();
        }

        /** Value in {@link EventTable#ID}. */
        byte[] found() {
            return ByteBuffer.allocate(2 * Long.BYTES + Short.BYTES)
                    .putLong(position)
                    .putShort((short) kind)
                    .putLong(createdAt)
                    .array();
        }

        /** @throws LmdbException if the value does not have its length */
        static Found ofId(EventId id, byte[] found) throws LmdbException {
            checkLength(found, 2 * Long.BYTES + Short.BYTES);
            ByteBuffer value = ByteBuffer.wrap(found);
            long position = value.getLong();
            int kind = Short.toUnsignedInt(value.getShort());
            return new Found(value.getLong(), id, position, kind);
        }

        /** @throws LmdbException if key or value do not have their length */
        static Found ofEntry(int prefixBytes, byte[] key, byte[] entry) throws LmdbException {
            checkLength(key, prefixBytes + ORDER);
            checkLength(entry, Long.BYTES + Short.BYTES);
            ByteBuffer value = ByteBuffer.wrap(entry);
            return new Found(
                    EventKeys.createdAt(key, prefixBytes),
                    EventId.of(Arrays.copyOfRange(key, prefixBytes + Long.BYTES, key.length)),
                    value.getLong(),
                    Short.toUnsignedInt(value.getShort()));
        }

        private static void checkLength(byte[] bytes, int length) throws LmdbException {
            if (bytes.length != length) {
                throw new LmdbException(org.lwjgl.util.lmdb.LMDB.MDB_CORRUPTED, "an index entry is malformed");
            }
        }
    }

    /** A key in a table. */
    record Key(EventTable table, byte[] bytes) {}

    // The order of queries

    static byte[] order(long createdAt, EventId id) {
        return ByteBuffer.allocate(ORDER)
                .putLong(Long.MAX_VALUE - createdAt)
                .put(id.bytes())
                .array();
    }

    private static long createdAt(byte[] key, int from) {
        return Long.MAX_VALUE - ByteBuffer.wrap(key).getLong(from);
    }

    /** The first place of that second or of an older one. */
    static byte[] firstAt(long createdAt) {
        return ByteBuffer.allocate(ORDER).putLong(Long.MAX_VALUE - createdAt).array();
    }

    /** The last place of that second. */
    static byte[] lastAt(long createdAt) {
        byte[] order = firstAt(createdAt);
        Arrays.fill(order, Long.BYTES, ORDER, (byte) 0xff);
        return order;
    }

    /** The next place of all. */
    static byte[] after(byte[] order) {
        byte[] next = order.clone();
        for (int i = ORDER - 1; i >= 0; i--) {
            if (++next[i] != 0) {
                break;
            }
        }
        return next;
    }

    // Prefixes

    static byte[] all() {
        return NOTHING;
    }

    static byte[] kind(int kind) {
        return new byte[] {(byte) (kind >>> 8), (byte) kind};
    }

    byte[] author(PublicKey author) {
        return number(hash(authorKey, author.bytes()));
    }

    byte[] authorAndKind(PublicKey author, int kind) {
        return join(author(author), kind(kind));
    }

    byte[] tag(char letter, String value) {
        return letter((byte) letter, value);
    }

    /** Addresses live among the tags, under a letter that no tag has. */
    byte[] address(Address address) {
        return letter((byte) 0, address.coordinate());
    }

    private byte[] letter(byte letter, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        SipHash hash = new SipHash();
        hash.init(tagKey);
        hash.update(letter);
        hash.update(bytes, 0, bytes.length);
        return ByteBuffer.allocate(1 + Long.BYTES)
                .put(letter)
                .putLong(hash.doFinal())
                .array();
    }

    byte[] grave(EventId target) {
        return number(hash(graveKey, target.bytes()));
    }

    private static long hash(KeyParameter key, byte[] bytes) {
        SipHash hash = new SipHash();
        hash.init(key);
        hash.update(bytes, 0, bytes.length);
        return hash.doFinal();
    }

    // Whole keys

    static byte[] number(long value) {
        return ByteBuffer.allocate(Long.BYTES).putLong(value).array();
    }

    static byte[] join(byte[] prefix, byte[] rest) {
        byte[] joined = Arrays.copyOf(prefix, prefix.length + rest.length);
        System.arraycopy(rest, 0, joined, prefix.length, rest.length);
        return joined;
    }

    static boolean startsWith(byte[] key, byte[] prefix) {
        return key.length >= prefix.length && Arrays.equals(key, 0, prefix.length, prefix, 0, prefix.length);
    }

    /** Every index entry of an event but that in {@link EventTable#ID}; none twice. */
    List<Key> entries(Event event) {
        byte[] order = order(event.createdAt(), event.id());
        List<Key> keys = new ArrayList<>();
        keys.add(new Key(EventTable.TIME, order));
        keys.add(new Key(EventTable.KIND, join(kind(event.kind()), order)));
        keys.add(new Key(EventTable.AUTHOR, join(author(event.pubkey()), order)));
        keys.add(new Key(EventTable.AUTHOR_KIND, join(authorAndKind(event.pubkey(), event.kind()), order)));
        Set<ByteBuffer> tags = new HashSet<>();
        for (List<String> tag : event.tags()) {
            if (tag.size() > 1 && isLetter(tag.get(0))) {
                tags.add(ByteBuffer.wrap(tag(tag.get(0).charAt(0), tag.get(1))));
            }
        }
        Optional<Address> address = Kinds.address(event);
        address.ifPresent(of -> tags.add(ByteBuffer.wrap(address(of))));
        tags.forEach(tag -> keys.add(new Key(EventTable.TAG, join(tag.array(), order))));
        return keys;
    }

    private static boolean isLetter(String name) {
        return name.length() == 1
                && (name.charAt(0) >= 'a' && name.charAt(0) <= 'z' || name.charAt(0) >= 'A' && name.charAt(0) <= 'Z');
    }
}
