package im.parley.launcher;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Small trusted JSON files and control answers as plain maps, lists, strings, {@code Long}, {@code Double} and {@code
 * Boolean}. Members that are null are left out, so absent and null are one thing. Duplicate names are refused. Quicker to
 * load than data binding, which a command that runs for a tenth of a second feels.
 */
public final class Json {
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            .build();

    /** What {@link #objectWithNulls} has where null was written. */
    static final Object NULL = new Object() {
        @Override
        public String toString() {
            return "null";
        }
    };

    private Json() {}

    /**
     * Reads one object and nothing after it.
     *
     * @throws IOException if it is not exactly one JSON object
     */
    public static Map<String, Object> object(byte[] utf8) throws IOException {
        return object(utf8, false);
    }

    /** The same for a file in which null says something: such members are {@link #NULL}. */
    static Map<String, Object> objectWithNulls(byte[] utf8) throws IOException {
        return object(utf8, true);
    }

    private static Map<String, Object> object(byte[] utf8, boolean withNulls) throws IOException {
        try (JsonParser parser = FACTORY.createParser(utf8)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new IOException("not a JSON object");
            }
            Map<String, Object> value = readObject(parser, withNulls);
            if (parser.nextToken() != null) {
                throw new IOException("something follows the JSON object");
            }
            return value;
        }
    }

    /** One line, no line feed at the end. */
    public static byte[] compact(Object value) {
        return write(value, false);
    }

    /** For people: two spaces, line feeds, one at the end; the same bytes for equal values. */
    public static byte[] pretty(Object value) {
        return write(value, true);
    }

    /**
     * The member as a string.
     *
     * @throws IOException if the member is absent or no string
     */
    public static String text(Map<String, Object> object, String name) throws IOException {
        if (object.get(name) instanceof String text) {
            return text;
        }
        throw new IOException("\"" + name + "\" must be a string");
    }

    /**
     * The member as a whole number.
     *
     * @throws IOException if the member is absent or no whole number
     */
    public static long number(Map<String, Object> object, String name) throws IOException {
        if (object.get(name) instanceof Long number) {
            return number;
        }
        throw new IOException("\"" + name + "\" must be a whole number");
    }

    /**
     * The member as a list of objects; empty if absent.
     *
     * @throws IOException if it is something else
     */
    public static List<Map<String, Object>> objects(Map<String, Object> object, String name) throws IOException {
        List<Map<String, Object>> found = new ArrayList<>();
        for (Object item : list(object, name)) {
            found.add(asObject(item, name));
        }
        return found;
    }

    /**
     * The member as a list of strings; empty if absent.
     *
     * @throws IOException if it is something else
     */
    public static List<String> texts(Map<String, Object> object, String name) throws IOException {
        List<String> found = new ArrayList<>();
        for (Object item : list(object, name)) {
            if (!(item instanceof String text)) {
                throw new IOException("\"" + name + "\" must hold strings");
            }
            found.add(text);
        }
        return found;
    }

    /**
     * The member as an object; empty if absent.
     *
     * @throws IOException if it is something else
     */
    public static Map<String, Object> member(Map<String, Object> object, String name) throws IOException {
        Object value = object.get(name);
        return value == null ? Map.of() : asObject(value, name);
    }

    private static List<?> list(Map<String, Object> object, String name) throws IOException {
        Object value = object.get(name);
        if (value == null) {
            return List.of();
        }
        if (value instanceof List<?> list) {
            return list;
        }
        throw new IOException("\"" + name + "\" must be a list");
    }

    private static Map<String, Object> asObject(Object value, String name) throws IOException {
        if (!(value instanceof Map<?, ?> map)) {
            throw new IOException("\"" + name + "\" must be an object");
        }
        Map<String, Object> typed = new LinkedHashMap<>();
        map.forEach((key, member) -> typed.put((String) key, member));
        return typed;
    }

    private static Map<String, Object> readObject(JsonParser parser, boolean withNulls) throws IOException {
        Map<String, Object> object = new LinkedHashMap<>();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            if (parser.nextToken() != JsonToken.VALUE_NULL) {
                object.put(name, readValue(parser, withNulls));
            } else if (withNulls) {
                object.put(name, NULL);
            }
        }
        return object;
    }

    private static Object readValue(JsonParser parser, boolean withNulls) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> readObject(parser, withNulls);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(readValue(parser, withNulls));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT -> parser.getLongValue();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> throw new IOException("null or nothing where a value is expected");
        };
    }

    private static byte[] write(Object value, boolean pretty) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator generator = FACTORY.createGenerator(bytes)) {
            if (pretty) {
                DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
                DefaultPrettyPrinter printer = new DefaultPrettyPrinter();
                printer.indentObjectsWith(indenter);
                printer.indentArraysWith(indenter);
                generator.setPrettyPrinter(printer);
            }
            writeValue(generator, value);
            if (pretty) {
                generator.writeRaw('\n');
            }
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    private static void writeValue(JsonGenerator generator, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            generator.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                generator.writeFieldName((String) entry.getKey());
                writeValue(generator, entry.getValue());
            }
            generator.writeEndObject();
        } else if (value instanceof Iterable<?> list) {
            generator.writeStartArray();
            for (Object item : list) {
                writeValue(generator, item);
            }
            generator.writeEndArray();
        } else if (value instanceof String text) {
            generator.writeString(text);
        } else if (value instanceof Double number) {
            generator.writeNumber(number);
        } else if (value instanceof Number number) {
            generator.writeNumber(number.longValue());
        } else if (value instanceof Boolean truth) {
            generator.writeBoolean(truth);
        } else {
            throw new IllegalArgumentException("no JSON for " + value.getClass());
        }
    }
}
