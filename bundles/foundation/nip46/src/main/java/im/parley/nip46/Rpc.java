package im.parley.nip46;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.protocol.ProtocolException;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Requests, responses and what stands in them, as JSON. What is wrong is a {@code ProtocolException} {@code rpc}. */
public final class Rpc {
    /** Kind of the events that carry it. */
    public static final int KIND = 24133;

    private static final int MAX_ID = 128;
    private static final int MAX_PARAMS = 16;
    private static final int MAX_CHARACTERS = 2 << 20;

    /* Names come from strangers, and buffers must not outlast the bundle: as in the protocol's own reader. */
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(16).build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .recyclerPool(JsonRecyclerPools.newConcurrentDequePool())
            .build();

    private Rpc() {}

    /** What a client asks. */
    public record Request(String id, String method, List<String> params) {
        public Request {
            params = List.copyOf(params);
        }

        /** The parameter, or an empty text. */
        public String param(int index) {
            return index < params.size() ? params.get(index) : "";
        }

        /** Without the parameters. */
        @Override
        public String toString() {
            return "Request[" + id + ", " + method + "]";
        }
    }

    /**
     * What a signer answers.
     *
     * @param result null if there is none
     * @param error null or empty if there is none
     */
    public record Response(
            String id, @Nullable String result, @Nullable String error) {
        /** Without the result. */
        @Override
        public String toString() {
            return "Response[" + id + "]";
        }
    }

    /** What a client wants to be signed, and whose it thinks that is; null if it does not say. */
    public record Unsigned(EventTemplate template, @Nullable PublicKey pubkey) {}

    @FunctionalInterface
    private interface Body {
        void write(JsonGenerator out) throws IOException;
    }

    @FunctionalInterface
    private interface Reader<T> {
        T read(JsonParser in) throws IOException, ProtocolException;
    }

    public static String write(Request request) {
        return written(out -> {
            out.writeStartObject();
            out.writeStringField("id", request.id());
            out.writeStringField("method", request.method());
            out.writeArrayFieldStart("params");
            for (String param : request.params()) {
                out.writeString(param);
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    public static String write(Response response) {
        return written(out -> {
            out.writeStartObject();
            out.writeStringField("id", response.id());
            String result = response.result();
            out.writeStringField("result", result == null ? "" : result);
            String error = response.error();
            if (error != null) {
                out.writeStringField("error", error);
            }
            out.writeEndObject();
        });
    }

    /** An event without author, id and signature. */
    public static String write(EventTemplate template) {
        return written(out -> {
            out.writeStartObject();
            out.writeNumberField("kind", template.kind());
            out.writeStringField("content", template.content());
            out.writeArrayFieldStart("tags");
            for (List<String> tag : template.tags()) {
                out.writeStartArray();
                for (String item : tag) {
                    out.writeString(item);
                }
                out.writeEndArray();
            }
            out.writeEndArray();
            out.writeNumberField("created_at", template.createdAt());
            out.writeEndObject();
        });
    }

    public static Request readRequest(String json) throws ProtocolException {
        return read(json, in -> {
            String id = null;
            String method = null;
            List<String> params = List.of();
            while (in.nextToken() != JsonToken.END_OBJECT) {
                String name = in.currentName();
                in.nextToken();
                switch (name) {
                    case "id" -> id = text(in);
                    case "method" -> method = text(in);
                    case "params" -> params = texts(in, MAX_PARAMS);
                    default -> in.skipChildren();
                }
            }
            if (id == null || id.length() > MAX_ID || method == null) {
                throw fault("a request has an id and a method");
            }
            return new Request(id, method, params);
        });
    }

    public static Response readResponse(String json) throws ProtocolException {
        return read(json, in -> {
            String id = null;
            String result = null;
            String error = null;
            while (in.nextToken() != JsonToken.END_OBJECT) {
                String name = in.currentName();
                JsonToken value = in.nextToken();
                switch (name) {
                    case "id" -> id = text(in);
                    case "result" -> result = value == JsonToken.VALUE_NULL ? null : text(in);
                    case "error" -> error = value == JsonToken.VALUE_NULL ? null : text(in);
                    default -> in.skipChildren();
                }
            }
            if (id == null || id.length() > MAX_ID) {
                throw fault("a response has an id");
            }
            return new Response(id, result, error);
        });
    }

    /** A list of texts alone; empty for {@code null}. */
    public static List<String> readTexts(String json) throws ProtocolException {
        if (json.strip().equals("null")) {
            return List.of();
        }
        return read(json, JsonToken.START_ARRAY, in -> texts(in, MAX_PARAMS));
    }

    public static Unsigned readUnsigned(String json) throws ProtocolException {
        return read(json, in -> {
            long createdAt = -1;
            int kind = -1;
            String content = null;
            PublicKey pubkey = null;
            List<List<String>> tags = new ArrayList<>();
            while (in.nextToken() != JsonToken.END_OBJECT) {
                String name = in.currentName();
                in.nextToken();
                switch (name) {
                    case "created_at" -> createdAt = number(in);
                    case "kind" -> kind = (int) Math.min(Integer.MAX_VALUE, number(in));
                    case "content" -> content = text(in);
                    case "pubkey" -> pubkey = PublicKey.ofHex(text(in));
                    case "tags" -> {
                        array(in);
                        while (in.nextToken() != JsonToken.END_ARRAY) {
                            List<String> tag = texts(in, Integer.MAX_VALUE);
                            if (tag.isEmpty()) {
                                throw fault("a tag has a name");
                            }
                            tags.add(tag);
                        }
                    }
                    default -> in.skipChildren();
                }
            }
            if (content == null) {
                throw fault("an event has a content");
            }
            return new Unsigned(new EventTemplate(createdAt, kind, tags, content), pubkey);
        });
    }

    private static <T> T read(String json, Reader<T> reader) throws ProtocolException {
        return read(json, JsonToken.START_OBJECT, reader);
    }

    private static <T> T read(String json, JsonToken begin, Reader<T> reader) throws ProtocolException {
        if (json.length() > MAX_CHARACTERS) {
            throw fault("it is too large");
        }
        try (JsonParser in = FACTORY.createParser(json)) {
            if (in.nextToken() != begin) {
                throw fault("it is no JSON of the right kind");
            }
            T value = reader.read(in);
            if (in.nextToken() != null) {
                throw fault("something stands behind the end of the JSON value");
            }
            return value;
        } catch (IOException | IllegalArgumentException e) {
            throw fault("it is no JSON, or holds what no event holds");
        }
    }

    private static List<String> texts(JsonParser in, int most) throws IOException, ProtocolException {
        array(in);
        List<String> texts = new ArrayList<>();
        while (in.nextToken() != JsonToken.END_ARRAY) {
            texts.add(text(in));
            if (texts.size() > most) {
                throw fault("a list is too long");
            }
        }
        return texts;
    }

    private static void array(JsonParser in) throws ProtocolException {
        if (in.currentToken() != JsonToken.START_ARRAY) {
            throw fault("a list is missing");
        }
    }

    private static String text(JsonParser in) throws IOException, ProtocolException {
        if (in.currentToken() != JsonToken.VALUE_STRING) {
            throw fault("a text is missing");
        }
        return in.getText();
    }

    private static long number(JsonParser in) throws IOException, ProtocolException {
        if (in.currentToken() != JsonToken.VALUE_NUMBER_INT) {
            throw fault("a whole number is missing");
        }
        return in.getLongValue();
    }

    private static String written(Body body) {
        StringWriter text = new StringWriter();
        try (JsonGenerator out = FACTORY.createGenerator(text)) {
            body.write(out);
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory cannot fail", e);
        }
        return text.toString();
    }

    private static ProtocolException fault(String text) {
        return new ProtocolException("rpc", text);
    }
}
