package im.parley.protocol;

import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads events and rumors from JSON. It checks the grammar and nothing else: {@link EventVerifier} checks id and
 * signature of an event.
 *
 * <p>All seven fields must be there with exactly their types (NIP-01): 64 and 128 lower-case hex digits, {@code created_at}
 * from 0 to 2^53-1 and {@code kind} from 0 to 65535 written as plain digits, tags as non-empty arrays of strings. Text is
 * kept as it is, not normalised; U+0000 and lone surrogates are refused, other control characters are not. Fields that
 * nobody knows are dropped, as other Nostr software does, unless they are a known name in another case: some peers would
 * take such a field for the known one. Keys never stand twice, at any depth. Input over {@link GrammarLimits} is refused
 * before it is parsed.
 *
 * <p>Stateless and thread-safe; time and memory grow with the length of the input.
 */
public final class EventReader {
    /** The most that is read where no other limits are given: 1 MiB. */
    public static final int MAX_BYTES = GrammarLimits.CLIENT.maxBytes();

    private static final List<String> NAMES = List.of("id", "pubkey", "created_at", "kind", "tags", "content", "sig");

    private static final String CREATED_AT = "created_at is whole seconds, 0 to 2^53-1, digits only";
    private static final String KIND = "kind is a whole number, 0 to 65535, digits only";

    private EventReader() {}

    /** Reads one event under {@link GrammarLimits#CLIENT}. */
    public static Event read(String json) throws ProtocolException {
        return read(json, GrammarLimits.CLIENT);
    }

    /** Reads one event. */
    public static Event read(String json, GrammarLimits limits) throws ProtocolException {
        try (Json reader = Json.open(json, limits.maxBytes())) {
            reader.next();
            Event event = event(reader, limits);
            reader.end();
            return event;
        }
    }

    /** Reads one event from strict UTF-8, without a byte order mark, under {@link GrammarLimits#CLIENT}. */
    public static Event read(byte[] utf8) throws ProtocolException {
        return read(text(utf8));
    }

    /**
     * Reads one rumor (NIP-59) under {@link GrammarLimits#CLIENT}. {@code sig} must be absent, null or blank ({@code
     * signed-rumor}); a missing {@code id} is computed, a given one must be right ({@code id}).
     */
    public static Rumor readRumor(String json) throws ProtocolException {
        try (Json reader = Json.open(json, GrammarLimits.CLIENT.maxBytes())) {
            reader.next();
            Fields fields = new Fields(reader, GrammarLimits.CLIENT, true);
            reader.end();
            PublicKey pubkey = present(fields.pubkey, "pubkey");
            long createdAt = fields.createdAt();
            int kind = fields.kind();
            List<List<String>> tags = present(fields.tags, "tags");
            String content = present(fields.content, "content");
            EventId id = EventHash.id(pubkey, createdAt, kind, tags, content);
            if (fields.id != null && !fields.id.equals(id)) {
                throw EventVerifier.wrongId();
            }
            return new Rumor(id, pubkey, createdAt, kind, tags, content);
        }
    }

    /** As {@link #readRumor(String)}, from strict UTF-8. */
    public static Rumor readRumor(byte[] utf8) throws ProtocolException {
        return readRumor(text(utf8));
    }

    private static String text(byte[] utf8) throws ProtocolException {
        if (utf8.length > MAX_BYTES) {
            throw new ProtocolException("too-large", "the limit is " + MAX_BYTES + " bytes");
        }
        return Texts.utf8(utf8);
    }

    /** The event whose object the reader stands on. */
    static Event event(Json reader, GrammarLimits limits) throws ProtocolException {
        Fields fields = new Fields(reader, limits, false);
        return new Event(
                present(fields.id, "id"),
                present(fields.pubkey, "pubkey"),
                fields.createdAt(),
                fields.kind(),
                present(fields.tags, "tags"),
                present(fields.content, "content"),
                present(fields.sig, "sig"));
    }

    private static <T> T present(@Nullable T value, String name) throws ProtocolException {
        if (value == null) {
            throw new ProtocolException("missing-field", "the event has no " + name);
        }
        return value;
    }

    /** One pass over the object; what was not in it stays null or negative. */
    private static final class Fields {
        private final GrammarLimits limits;
        private @Nullable EventId id;
        private @Nullable PublicKey pubkey;
        private long createdAt = -1;
        private int kind = -1;
        private @Nullable List<List<String>> tags;
        private @Nullable String content;
        private @Nullable Signature sig;

        Fields(Json reader, GrammarLimits limits, boolean rumor) throws ProtocolException {
            this.limits = limits;
            if (!reader.at(JsonToken.START_OBJECT)) {
                throw reader.wrong("event", "an event is a JSON object");
            }
            int seen = 0;
            Set<String> unknown = Set.of();
            while (next(reader)) {
                String name = reader.name();
                int index = NAMES.indexOf(name);
                if (index >= 0) {
                    if ((seen & 1 << index) != 0) {
                        throw Json.duplicate();
                    }
                    seen |= 1 << index;
                    known(reader, name, rumor);
                } else {
                    unknown = unknown.isEmpty() ? new HashSet<>() : unknown;
                    if (!unknown.add(name) || NAMES.stream().anyMatch(name::equalsIgnoreCase)) {
                        throw Json.duplicate();
                    }
                    reader.next();
                    reader.skip();
                }
            }
        }

        /** Whether there is one more field. A number that is no JSON is a fault of its field rather than of the text. */
        private static boolean next(Json reader) throws ProtocolException {
            try {
                return reader.next() != JsonToken.END_OBJECT;
            } catch (ProtocolException e) {
                String field = e.token().equals("json") ? reader.brokenField() : null;
                if ("created_at".equals(field)) {
                    throw new ProtocolException("created-at", CREATED_AT);
                }
                throw "kind".equals(field) ? new ProtocolException("kind", KIND) : e;
            }
        }

        private void known(Json reader, String name, boolean rumor) throws ProtocolException {
            switch (name) {
                case "created_at" -> createdAt = reader.nextInteger(Json.MAX_INTEGER, "created-at", CREATED_AT);
                case "kind" -> kind = (int) reader.nextInteger(Event.MAX_KIND, "kind", KIND);
                default -> {
                    reader.next();
                    switch (name) {
                        case "id" -> id = reader.eventId();
                        case "pubkey" -> pubkey = reader.publicKey();
                        case "tags" -> tags = tags(reader);
                        case "content" -> content = reader.string("content", "content is a string");
                        default -> sig = rumor ? noSignature(reader) : signature(reader);
                    }
                }
            }
        }

        private static Signature signature(Json reader) throws ProtocolException {
            String text = reader.string("hex", "sig is a string of 128 lower-case hex digits");
            if (Texts.isHex(text, 2 * Signature.LENGTH)) {
                return Signature.ofHex(text);
            }
            // Whole bytes, but not 64 of them, are a bad signature rather than bad hex.
            String token = text.length() % 2 == 0 && Texts.isHex(text) ? "sig" : "hex";
            throw new ProtocolException(token, "sig is a string of 128 lower-case hex digits");
        }

        private static @Nullable Signature noSignature(Json reader) throws ProtocolException {
            if (!reader.at(JsonToken.VALUE_NULL)
                    && !reader.string("signed-rumor", "a rumor carries no sig").isBlank()) {
                throw new ProtocolException("signed-rumor", "a rumor carries no sig");
            }
            return null;
        }

        private List<List<String>> tags(Json reader) throws ProtocolException {
            if (!reader.at(JsonToken.START_ARRAY)) {
                throw reader.wrong("tags", "tags is an array of arrays of strings");
            }
            List<List<String>> read = new ArrayList<>();
            while (reader.next() != JsonToken.END_ARRAY) {
                if (read.size() == limits.maxTags()) {
                    throw new ProtocolException("tags", "an event may have " + limits.maxTags() + " tags at most");
                }
                read.add(tag(reader));
            }
            return List.copyOf(read);
        }

        private List<String> tag(Json reader) throws ProtocolException {
            if (!reader.at(JsonToken.START_ARRAY)) {
                throw reader.wrong("tags", "each tag is an array of strings");
            }
            List<String> tag = new ArrayList<>(4);
            while (reader.next() != JsonToken.END_ARRAY) {
                if (reader.at(JsonToken.START_ARRAY) || reader.at(JsonToken.START_OBJECT)) {
                    throw new ProtocolException("nesting", "nothing nests inside a tag");
                }
                String text = reader.string("tags", "each tag is an array of strings");
                if (!Texts.fits(text, limits.maxTagValueBytes())) {
                    throw new ProtocolException(
                            "tags", "a string in a tag may have " + limits.maxTagValueBytes() + " bytes at most");
                }
                tag.add(text);
            }
            if (tag.isEmpty()) {
                throw new ProtocolException("tags", "a tag has at least a name");
            }
            if (tag.size() > 1) {
                indexed(tag.get(0), tag.get(1));
            }
            return List.copyOf(tag);
        }

        private void indexed(String name, String value) throws ProtocolException {
            if (name.length() == 1 && !Texts.fits(value, limits.maxIndexedBytes())) {
                throw new ProtocolException(
                        "tags",
                        "the value of a single-letter tag may have " + limits.maxIndexedBytes() + " bytes at most");
            }
            if (limits.references() && (name.equals("e") || name.equals("p")) && !Texts.isHex(value, 64)) {
                throw new ProtocolException("tags", "e and p tags name an id or key of 64 lower-case hex digits");
            }
        }

        long createdAt() throws ProtocolException {
            return present(createdAt < 0 ? null : createdAt, "created_at");
        }

        int kind() throws ProtocolException {
            return present(kind < 0 ? null : kind, "kind");
        }
    }
}
