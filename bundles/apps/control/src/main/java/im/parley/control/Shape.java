package im.parley.control;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a result looks like, for {@code rpc.discover} and for the test that holds every answer against it. A small part of
 * JSON Schema. Immutable.
 */
public final class Shape {
    /** A string. */
    public static final Shape TEXT = new Shape("string", Map.of(), null, "");
    /** A whole number. */
    public static final Shape NUMBER = new Shape("integer", Map.of(), null, "");
    /** True or false. */
    public static final Shape FLAG = new Shape("boolean", Map.of(), null, "");
    /** Names to whole numbers. */
    public static final Shape COUNTS = new Shape("object", Map.of(), NUMBER, "");

    private final String type;
    private final Map<String, Shape> members;
    private final @Nullable Shape items;
    private final String description;

    private Shape(String type, Map<String, Shape> members, @Nullable Shape items, String description) {
        this.type = type;
        this.members = members;
        this.items = items;
        this.description = description;
    }

    /** Any number of one shape. */
    public static Shape listOf(Shape items) {
        return new Shape("array", Map.of(), items, "");
    }

    /** An object with exactly these members: name, shape, name, shape … */
    public static Shape object(Object... namesAndShapes) {
        Map<String, Shape> members = new LinkedHashMap<>();
        for (int i = 0; i < namesAndShapes.length; i += 2) {
            members.put((String) namesAndShapes[i], (Shape) namesAndShapes[i + 1]);
        }
        return new Shape("object", members, null, "");
    }

    /** The same with a sentence. */
    public Shape described(String sentence) {
        return new Shape(type, members, items, sentence);
    }

    /** As JSON Schema. */
    Map<String, Object> toSchema() {
        Map<String, Object> schema = new LinkedHashMap<>();
        schema.put("type", type);
        if (!description.isEmpty()) {
            schema.put("description", description);
        }
        if (items != null) {
            schema.put(type.equals("array") ? "items" : "additionalProperties", items.toSchema());
        } else if (!members.isEmpty()) {
            Map<String, Object> properties = new LinkedHashMap<>();
            members.forEach((name, shape) -> properties.put(name, shape.toSchema()));
            schema.put("properties", properties);
            schema.put("required", List.copyOf(members.keySet()));
            schema.put("additionalProperties", false);
        }
        return schema;
    }

    /** Where the value differs from this shape, or an empty string. */
    String difference(Object value) {
        return switch (type) {
            case "string" -> value instanceof String ? "" : "no string: " + value;
            case "integer" -> value instanceof Long || value instanceof Integer ? "" : "no whole number: " + value;
            case "boolean" -> value instanceof Boolean ? "" : "no truth value: " + value;
            case "array" -> value instanceof List<?> list ? inList(list) : "no list: " + value;
            default -> value instanceof Map<?, ?> map ? inObject(map) : "no object: " + value;
        };
    }

    private String inList(List<?> list) {
        for (Object item : list) {
            String difference = items == null ? "" : items.difference(item);
            if (!difference.isEmpty()) {
                return difference;
            }
        }
        return "";
    }

    private String inObject(Map<?, ?> map) {
        if (items != null) {
            return inList(List.copyOf(map.values()));
        }
        if (!map.keySet().equals(members.keySet())) {
            return "members " + map.keySet() + " instead of " + members.keySet();
        }
        for (Map.Entry<String, Shape> member : members.entrySet()) {
            Object value = map.get(member.getKey());
            String difference = value == null ? "null" : member.getValue().difference(value);
            if (!difference.isEmpty()) {
                return member.getKey() + ": " + difference;
            }
        }
        return "";
    }
}
