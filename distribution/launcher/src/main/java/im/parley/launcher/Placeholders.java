package im.parley.launcher;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Puts the values of this start into a configuration: {@code ${parley.data}} and its like. An unknown name is refused. */
final class Placeholders {
    private static final String OPEN = "${";

    private final Map<String, String> values;
    private final Map<String, List<String>> lists;

    /** @param lists values that stand for any number of items where a list has them as an item of their own */
    Placeholders(Map<String, String> values, Map<String, List<String>> lists) {
        this.values = Map.copyOf(values);
        this.lists = Map.copyOf(lists);
    }

    Map<String, Object> resolve(String pid, Map<String, Object> properties) throws LauncherException {
        Map<String, Object> resolved = new TreeMap<>();
        for (Map.Entry<String, Object> property : properties.entrySet()) {
            resolved.put(property.getKey(), value(pid, property.getKey(), property.getValue()));
        }
        return resolved;
    }

    private Object value(String pid, String key, Object value) throws LauncherException {
        if (value instanceof String text) {
            return text(pid, key, text);
        }
        if (value instanceof List<?> list) {
            List<Object> resolved = new ArrayList<>();
            for (Object item : list) {
                List<String> several = item instanceof String text && text.startsWith(OPEN) && text.endsWith("}")
                        ? lists.get(text.substring(OPEN.length(), text.length() - 1))
                        : null;
                if (several == null) {
                    resolved.add(value(pid, key, item));
                } else {
                    resolved.addAll(several);
                }
            }
            return resolved;
        }
        return value;
    }

    private String text(String pid, String key, String text) throws LauncherException {
        StringBuilder result = new StringBuilder();
        int from = 0;
        for (int open = text.indexOf(OPEN); open >= 0; open = text.indexOf(OPEN, from)) {
            int close = text.indexOf('}', open);
            String value = close < 0 ? null : values.get(text.substring(open + OPEN.length(), close));
            if (value == null) {
                throw new LauncherException(
                        "config.invalid",
                        "The node's configuration cannot be applied.",
                        pid + " " + key + " = " + text + " names no known value; known are "
                                + new java.util.TreeSet<>(values.keySet()) + ".",
                        "Correct the feature or the stack generation it comes from.");
            }
            result.append(text, from, open).append(value);
            from = close + 1;
        }
        return result.append(text, from, text.length()).toString();
    }
}
