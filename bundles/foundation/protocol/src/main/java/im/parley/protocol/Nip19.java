package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The text forms of keys, ids and pointers (NIP-19): bech32, for the longer ones with a list of type, length and value
 * inside. All faults are {@link ProtocolException} with the token {@code nip19}. Stateless and thread-safe.
 *
 * <p>Read: at most {@value #MAX_LENGTH} characters, one case throughout; entries in any order, unknown types passed over, an
 * entry cut short refused. Relays in a pointer are hints of a stranger, ASCII but otherwise as written:
 * {@link RelayUrls#normalise} decides about each.
 */
public final class Nip19 {
    /** The most characters that are read or written. */
    public static final int MAX_LENGTH = 5000;

    private static final String NCRYPTSEC = "ncryptsec";
    private static final int SEALED_KEY = 91;

    private static final int MAX_ENTRY = 255;
    private static final int SPECIAL = 0;
    private static final int RELAY = 1;
    private static final int AUTHOR = 2;
    private static final int KIND = 3;

    private Nip19() {}

    /** What a NIP-19 text stands for. */
    public sealed interface Entity {}

    /** {@code npub}. */
    public record Npub(PublicKey pubkey) implements Entity {}

    /** {@code nsec}: a secret key, not checked against the group order. The text form never shows it. */
    public static final class Nsec implements Entity {
        private final byte[] secret;

        private Nsec(byte[] secret) {
            this.secret = secret;
        }

        /** A copy, 32 bytes; the caller clears it after use. */
        public byte[] secret() {
            return secret.clone();
        }

        /** Overwrites the key held here; {@link #secret} gives zeros from then on. */
        public void clear() {
            Arrays.fill(secret, (byte) 0);
        }

        @Override
        public String toString() {
            return "Nsec[REDACTED]";
        }
    }

    /** {@code note}. */
    public record Note(EventId id) implements Entity {}

    /** {@code nprofile}: a key and relays where its events may be found. */
    public record Profile(PublicKey pubkey, List<String> relays) implements Entity {
        public Profile {
            relays = List.copyOf(relays);
        }
    }

    /** {@code nevent}: an event, where it may be found, and what the sender says its author and kind are. */
    public record EventPointer(EventId id, List<String> relays, Optional<PublicKey> author, OptionalInt kind)
            implements Entity {
        public EventPointer {
            relays = List.copyOf(relays);
        }
    }

    /** {@code naddr}: the address of a replaceable or addressable event. */
    public record AddressPointer(String identifier, PublicKey pubkey, int kind, List<String> relays) implements Entity {
        public AddressPointer {
            relays = List.copyOf(relays);
        }
    }

    /** {@code npub1…}. */
    public static String npub(PublicKey pubkey) {
        return Bech32.encode("npub", pubkey.bytes());
    }

    /**
     * {@code nsec1…}. The text cannot be cleared from memory: only for showing or exporting on the user's demand.
     *
     * @throws IllegalArgumentException if there are not 32 bytes
     */
    public static String nsec(byte[] secret) {
        if (secret.length != 32) {
            throw new IllegalArgumentException("a secret key has 32 bytes");
        }
        return Bech32.encode("nsec", secret);
    }

    /**
     * {@code ncryptsec1…} (NIP-49).
     *
     * @param sealed 91 bytes
     */
    public static String ncryptsec(byte[] sealed) {
        if (sealed.length != SEALED_KEY) {
            throw new IllegalArgumentException("a sealed key has 91 bytes");
        }
        return Bech32.encode(NCRYPTSEC, sealed);
    }

    /**
     * The bytes of an {@code ncryptsec1…}, which is no entity of NIP-19 and never comes from strangers.
     *
     * @throws ProtocolException {@code nip19}
     */
    public static byte[] sealedKey(String ncryptsec) throws ProtocolException {
        Bech32 parts = Bech32.decode(ncryptsec);
        if (!parts.prefix().equals(NCRYPTSEC) || parts.data().length != SEALED_KEY) {
            throw fault("this is no ncryptsec");
        }
        return parts.data();
    }

    /** {@code note1…}. */
    public static String note(EventId id) {
        return Bech32.encode("note", id.bytes());
    }

    /** {@code nprofile1…}. */
    public static String nprofile(PublicKey pubkey, List<String> relays) {
        Entries entries = new Entries();
        entries.add(SPECIAL, pubkey.bytes());
        entries.relays(relays);
        return entries.encode("nprofile");
    }

    /** {@code nevent1…}. */
    public static String nevent(EventPointer pointer) {
        Entries entries = new Entries();
        entries.add(SPECIAL, pointer.id().bytes());
        entries.relays(pointer.relays());
        pointer.author().ifPresent(author -> entries.add(AUTHOR, author.bytes()));
        pointer.kind().ifPresent(kind -> entries.add(KIND, kind(kind)));
        return entries.encode("nevent");
    }

    /** {@code naddr1…}. */
    public static String naddr(AddressPointer pointer) {
        Entries entries = new Entries();
        entries.add(SPECIAL, pointer.identifier().getBytes(StandardCharsets.UTF_8));
        entries.relays(pointer.relays());
        entries.add(AUTHOR, pointer.pubkey().bytes());
        entries.add(KIND, kind(pointer.kind()));
        return entries.encode("naddr");
    }

    private static byte[] kind(int kind) {
        if (kind < 0 || kind > Event.MAX_KIND) {
            throw new IllegalArgumentException("kind must be between 0 and " + Event.MAX_KIND);
        }
        return ByteBuffer.allocate(4).putInt(kind).array();
    }

    /**
     * Reads a {@code nostr:} URI (NIP-21), which never carries a secret key.
     *
     * @throws ProtocolException {@code nip19}
     */
    public static Entity decodeUri(String uri) throws ProtocolException {
        if (!uri.startsWith("nostr:")) {
            throw fault("a Nostr URI begins with nostr:");
        }
        Entity entity = decode(uri.substring("nostr:".length()));
        if (entity instanceof Nsec nsec) {
            nsec.clear();
            throw fault("a secret key never stands in a Nostr URI");
        }
        return entity;
    }

    /** @throws ProtocolException {@code nip19} */
    public static Entity decode(String text) throws ProtocolException {
        if (text.length() > MAX_LENGTH) {
            throw fault("the text is longer than " + MAX_LENGTH + " characters");
        }
        Bech32 parts = Bech32.decode(text);
        byte[] data = parts.data();
        return switch (parts.prefix()) {
            case "npub" -> new Npub(PublicKey.of(exactly32(data)));
            case "nsec" -> new Nsec(exactly32(data));
            case "note" -> new Note(EventId.of(exactly32(data)));
            case "nprofile" -> {
                Pointer pointer = new Pointer(data);
                yield new Profile(PublicKey.of(exactly32(pointer.special())), pointer.relays);
            }
            case "nevent" -> {
                Pointer pointer = new Pointer(data);
                yield new EventPointer(
                        EventId.of(exactly32(pointer.special())),
                        pointer.relays,
                        Optional.ofNullable(pointer.author),
                        pointer.kind);
            }
            case "naddr" -> {
                Pointer pointer = new Pointer(data);
                if (pointer.author == null || pointer.kind.isEmpty()) {
                    throw fault("an address needs an author and a kind");
                }
                yield new AddressPointer(
                        text(pointer.special()), pointer.author, pointer.kind.getAsInt(), pointer.relays);
            }
            default -> throw fault("the prefix is none of npub, nsec, note, nprofile, nevent and naddr");
        };
    }

    private static String text(byte[] utf8) throws ProtocolException {
        try {
            return Texts.checked(Texts.utf8(utf8));
        } catch (ProtocolException e) {
            throw fault("an identifier is UTF-8 text");
        }
    }

    private static byte[] exactly32(byte[] data) throws ProtocolException {
        if (data.length != 32) {
            throw fault("a key or id has 32 bytes");
        }
        return data;
    }

    static ProtocolException fault(String text) {
        return new ProtocolException("nip19", text);
    }

    /** Entries on their way out. */
    private static final class Entries {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void add(int type, byte[] value) {
            if (value.length > MAX_ENTRY) {
                throw new IllegalArgumentException("an entry has " + MAX_ENTRY + " bytes at most");
            }
            bytes.write(type);
            bytes.write(value.length);
            bytes.writeBytes(value);
        }

        void relays(List<String> relays) {
            for (String relay : relays) {
                if (!isAscii(relay)) {
                    throw new IllegalArgumentException("a relay address is ASCII");
                }
                add(RELAY, relay.getBytes(StandardCharsets.US_ASCII));
            }
        }

        String encode(String prefix) {
            String text = Bech32.encode(prefix, bytes.toByteArray());
            if (text.length() > MAX_LENGTH) {
                throw new IllegalArgumentException("the text would be longer than " + MAX_LENGTH + " characters");
            }
            return text;
        }
    }

    private static boolean isAscii(String text) {
        return text.chars().allMatch(c -> c > 0x20 && c < 0x7F);
    }

    /** Entries on their way in; the first of a type counts where one is asked for. */
    private static final class Pointer {
        private byte @Nullable [] special;
        private final List<String> relays = new ArrayList<>();
        private @Nullable PublicKey author;
        private OptionalInt kind = OptionalInt.empty();

        Pointer(byte[] data) throws ProtocolException {
            int at = 0;
            while (at < data.length) {
                if (data.length - at < 2 || data.length - at - 2 < (data[at + 1] & 0xFF)) {
                    throw fault("an entry is cut short");
                }
                byte[] value = Arrays.copyOfRange(data, at + 2, at + 2 + (data[at + 1] & 0xFF));
                entry(data[at] & 0xFF, value);
                at += 2 + value.length;
            }
        }

        private void entry(int type, byte[] value) throws ProtocolException {
            switch (type) {
                case SPECIAL -> special = special == null ? value : special;
                case RELAY -> {
                    String relay = new String(value, StandardCharsets.ISO_8859_1);
                    if (relay.isEmpty() || !isAscii(relay)) {
                        throw fault("a relay address is ASCII");
                    }
                    relays.add(relay);
                }
                case AUTHOR -> author = author == null ? PublicKey.of(exactly32(value)) : author;
                case KIND -> {
                    if (value.length != 4 || value[0] != 0 || value[1] != 0) {
                        throw fault("a kind is 4 bytes, 0 to 65535");
                    }
                    kind = kind.isPresent()
                            ? kind
                            : OptionalInt.of(ByteBuffer.wrap(value).getInt());
                }
                default -> {}
            }
        }

        byte[] special() throws ProtocolException {
            if (special == null) {
                throw fault("the entry with the key, id or identifier is missing");
            }
            return special;
        }
    }
}
