package im.parley.control;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import im.parley.api.lifecycle.Kind;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads requests against the schema. A line is read twice: first for the method, skipping values without decoding them,
 * then for the parameters, whose types are known by then, so that a secret never becomes a String whatever the order of
 * the members. Thread-safe.
 */
final class Requests {
    private static final int MAX_DEPTH = 16;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxStringLength(Protocol.MAX_LINE_BYTES)
                    .build())
            .build();

    private Requests() {}

    /**
     * The envelope of a request.
     *
     * @param id String or Long; null for a notification, which is done but not answered
     * @param method as written
     */
    record Head(@Nullable Object id, String method) {}

    /**
     * Reads everything but the parameters.
     *
     * @throws ControlException {@code request.not-json}, {@code request.invalid}
     */
    static Head head(byte[] line, int length) throws ControlException {
        Object id = null;
        String method = null;
        boolean version = false;
        try (JsonParser parser = FACTORY.createParser(line, 0, length)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw invalid("a request is one JSON object; batches are not served");
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "jsonrpc" -> version = token == JsonToken.VALUE_STRING && "2.0".equals(parser.getText());
                    case "id" -> id = id(parser, token);
                    case "method" -> {
                        if (token != JsonToken.VALUE_STRING) {
                            throw invalid("method must be a string");
                        }
                        method = parser.getText();
                    }
                    case "params" -> parser.skipChildren();
                    default -> throw invalid("a request has only jsonrpc, id, method and params");
                }
            }
            if (parser.nextToken() != null) {
                throw invalid("something follows the request on its line");
            }
        } catch (IOException e) {
            throw notJson();
        }
        if (!version || method == null) {
            throw invalid("jsonrpc must be \"2.0\" and method must be there");
        }
        return new Head(id, method);
    }

    private static Object id(JsonParser parser, JsonToken token) throws IOException, ControlException {
        return switch (token) {
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT -> parser.getLongValue();
            default -> throw invalid("id must be a string or a whole number");
        };
    }

    /**
     * Reads the parameters.
     *
     * @return String, Long, Boolean or {@link Secret} by name; the caller wipes the secrets
     * @throws ControlException {@code param.unknown}, {@code param.type}, {@code param.missing}
     */
    static Map<String, Object> params(byte[] line, int length, Method method) throws ControlException {
        Map<String, Object> params = new LinkedHashMap<>();
        boolean complete = false;
        try (JsonParser parser = FACTORY.createParser(line, 0, length)) {
            parser.nextToken();
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                if (!name.equals("params")) {
                    parser.skipChildren();
                } else if (token != JsonToken.START_OBJECT) {
                    throw wrong("param.type", "Parameters are given by name, in an object.");
                } else {
                    readParams(parser, method, params);
                }
            }
            for (Method.Param param : method.params()) {
                if (param.required() && !params.containsKey(param.name())) {
                    throw wrong("param.missing", method.name() + " needs " + param.name() + ".");
                }
            }
            complete = true;
            return params;
        } catch (IOException e) {
            throw notJson();
        } finally {
            if (!complete) {
                wipe(params);
            }
        }
    }

    private static void wipe(Map<String, Object> params) {
        for (Object value : params.values()) {
            if (value instanceof Secret secret) {
                secret.close();
            }
        }
    }

    private static void readParams(JsonParser parser, Method method, Map<String, Object> params)
            throws IOException, ControlException {
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            Method.Param param = find(method, name);
            JsonToken token = parser.nextToken();
            if (token == JsonToken.VALUE_NULL) {
                continue;
            }
            Object value = switch (param.type()) {
                case TEXT -> token == JsonToken.VALUE_STRING ? parser.getText() : null;
                case NUMBER -> token == JsonToken.VALUE_NUMBER_INT ? (Object) parser.getLongValue() : null;
                case FLAG -> token.isBoolean() ? (Object) parser.getBooleanValue() : null;
                case SECRET -> token == JsonToken.VALUE_STRING ? secret(parser, param) : null;
            };
            if (value == null) {
                throw wrong("param.type", param.name() + " must be " + nameOf(param.type()) + ".");
            }
            params.put(name, value);
        }
    }

    /** Copies the characters out and wipes the parser's own buffer. */
    private static Secret secret(JsonParser parser, Method.Param param) throws IOException, ControlException {
        char[] buffer = parser.getTextCharacters();
        int offset = parser.getTextOffset();
        int length = parser.getTextLength();
        try {
            if (length > Protocol.MAX_SECRET_CHARS) {
                throw wrong(
                        "param.type", param.name() + " is longer than " + Protocol.MAX_SECRET_CHARS + " characters.");
            }
            return new Secret(Arrays.copyOfRange(buffer, offset, offset + length));
        } finally {
            Arrays.fill(buffer, offset, offset + length, '\0');
        }
    }

    private static Method.Param find(Method method, String name) throws ControlException {
        for (Method.Param param : method.params()) {
            if (param.name().equals(name)) {
                return param;
            }
        }
        throw wrong("param.unknown", method.name() + " has no parameter of that name; rpc.discover lists them.");
    }

    private static String nameOf(Method.Type type) {
        return switch (type) {
            case TEXT, SECRET -> "a string";
            case NUMBER -> "a whole number";
            case FLAG -> "true or false";
        };
    }

    private static ControlException wrong(String code, String why) {
        return new ControlException(Protocol.INVALID_PARAMS, Kind.REJECTED, code, why);
    }

    private static ControlException invalid(String why) {
        return new ControlException(Protocol.INVALID_REQUEST, Kind.REJECTED, "request.invalid", why + ".");
    }

    /** Says nothing of the line: it may hold a secret. */
    private static ControlException notJson() {
        return new ControlException(
                Protocol.PARSE_ERROR, Kind.REJECTED, "request.not-json", "The line is no JSON object in UTF-8.");
    }
}
