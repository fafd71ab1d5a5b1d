package im.parley.protocol;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One JSON document, read token by token with the strictness that all readers here share: RFC 8259 and nothing else,
 * bounded size and nesting, no duplicate keys at any depth, no lone surrogates, plain integers. Not thread-safe.
 */
final class Json implements AutoCloseable {
    /** A filter list in a frame needs 4, an event 4; the rest is for fields that nobody knows yet. */
    static final int MAX_DEPTH = 16;

    /** The largest integer that every JSON peer reads exactly, 2^53 - 1. */
    static final long MAX_INTEGER = 9_007_199_254_740_991L;

    /*
     * Only nesting is left to Jackson: everything else is bounded by the size of the document, which open() checks, so
     * that a StreamConstraintsException has one meaning. Field names come from strangers: not interned, not kept in the
     * symbol table. Buffers live in a pool of this class, because a thread-local one would outlast the bundle.
     */
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .maxStringLength(Integer.MAX_VALUE)
                    .maxNameLength(Integer.MAX_VALUE)
                    .build())
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .recyclerPool(JsonRecyclerPools.newConcurrentDequePool())
            .build();

    private final JsonParser parser;
    private @Nullable JsonToken token;

    private Json(JsonParser parser) {
        this.parser = parser;
    }

    /** Positions before the first token. */
    static Json open(String text, int maxBytes) throws ProtocolException {
        if (!Texts.fits(text, maxBytes)) {
            throw new ProtocolException("too-large", "the limit is " + maxBytes + " bytes");
        }
        try {
            return new Json(FACTORY.createParser(text));
        } catch (IOException e) {
            throw syntax();
        }
    }

    /** The next token; there must be one. */
    JsonToken next() throws ProtocolException {
        JsonToken next = advance();
        if (next == null) {
            throw syntax();
        }
        return next;
    }

    /** Nothing but white space may be left. */
    void end() throws ProtocolException {
        if (advance() != null) {
            throw new ProtocolException("json", "something stands behind the end of the JSON value");
        }
    }

    private @Nullable JsonToken advance() throws ProtocolException {
        try {
            token = parser.nextToken();
            return token;
        } catch (StreamConstraintsException e) {
            throw new ProtocolException("nesting", "arrays and objects may nest " + MAX_DEPTH + " deep at most");
        } catch (IOException e) {
            throw syntax();
        }
    }

    boolean at(JsonToken expected) {
        return token == expected;
    }

    /** The next token must be that one. */
    void expect(JsonToken expected, String fault, String text) throws ProtocolException {
        if (next() != expected) {
            throw wrong(fault, text);
        }
    }

    /** The name of the field that the reader stands on. */
    String name() throws ProtocolException {
        try {
            return parser.currentName();
        } catch (IOException e) {
            throw syntax();
        }
    }

    /**
     * After {@link #next} has failed: the name of the field whose value could not be read, such as 01, which is no JSON.
     * Jackson reads a value that is not a string together with the name in front of it. Null if the fault is elsewhere.
     */
    @Nullable
    String brokenField() throws ProtocolException {
        return parser.currentToken() == JsonToken.FIELD_NAME ? name() : null;
    }

    /** The string that the reader stands on, free of U+0000 and lone surrogates. */
    String string(String fault, String text) throws ProtocolException {
        if (token != JsonToken.VALUE_STRING) {
            throw wrong(fault, text);
        }
        return Texts.checked(raw());
    }

    private String raw() throws ProtocolException {
        try {
            return parser.getText();
        } catch (IOException e) {
            throw syntax();
        }
    }

    /** The string that the reader stands on must be an event id. */
    EventId eventId() throws ProtocolException {
        return EventId.ofHex(hex64());
    }

    /** The string that the reader stands on must be a public key. */
    PublicKey publicKey() throws ProtocolException {
        return PublicKey.ofHex(hex64());
    }

    private String hex64() throws ProtocolException {
        if (token != JsonToken.VALUE_STRING) {
            throw wrong("hex", "ids and keys are strings of 64 lower-case hex digits");
        }
        String text = raw();
        if (!Texts.isHex(text, 64)) {
            throw new ProtocolException("hex", "ids and keys are strings of 64 lower-case hex digits");
        }
        return text;
    }

    /** Reads the next token as an integer from 0 to max, digits only: no sign, fraction or exponent. */
    long nextInteger(long max, String fault, String text) throws ProtocolException {
        next();
        return integer(max, fault, text);
    }

    /** As {@link #nextInteger}, of the token that the reader stands on. */
    long integer(long max, String fault, String text) throws ProtocolException {
        if (token != JsonToken.VALUE_NUMBER_INT) {
            throw wrong(fault, text);
        }
        String digits = raw();
        // 16 digits hold 2^53 and never overflow a long; the sign also catches -0.
        if (digits.length() > 16 || digits.charAt(0) == '-') {
            throw new ProtocolException(fault, text);
        }
        long value = Long.parseLong(digits);
        if (value > max) {
            throw new ProtocolException(fault, text);
        }
        return value;
    }

    /**
     * The fault of a value of the wrong type. What is inside the value is read first, so that broken JSON is called
     * broken JSON and a nesting bomb a nesting bomb, wherever they stand.
     */
    ProtocolException wrong(String fault, String text) throws ProtocolException {
        skip();
        return new ProtocolException(fault, text);
    }

    /** Goes to the end of the value that the reader stands on. */
    void skip() throws ProtocolException {
        if (token == JsonToken.START_OBJECT) {
            Set<String> names = new HashSet<>();
            while (next() != JsonToken.END_OBJECT) {
                if (!names.add(name())) {
                    throw duplicate();
                }
                next();
                skip();
            }
        } else if (token == JsonToken.START_ARRAY) {
            while (next() != JsonToken.END_ARRAY) {
                skip();
            }
        }
    }

    static ProtocolException duplicate() {
        return new ProtocolException("duplicate-key", "a key may stand in an object once");
    }

    private static ProtocolException syntax() {
        return new ProtocolException("json", "this is not one complete JSON value");
    }

    /** Gives the buffers back. */
    @Override
    public void close() {
        try {
            parser.close();
        } catch (IOException e) {
            throw new IllegalStateException("closing a parser over a string reads nothing", e);
        }
    }
}
