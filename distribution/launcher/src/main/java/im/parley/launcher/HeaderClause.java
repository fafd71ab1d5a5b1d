package im.parley.launcher;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One clause of an OSGi header: {@code path;path;attribute=value;directive:=value}. Read so strictly that no other reader
 * can understand it otherwise: an escape, an open quote or an empty clause is refused.
 *
 * @param paths what comes before the first parameter; never empty
 * @param parameters attributes by their name, directives by their name with a colon behind it
 */
public record HeaderClause(List<String> paths, Map<String, String> parameters) {
    public HeaderClause {
        paths = List.copyOf(paths);
        parameters = Map.copyOf(parameters);
    }

    /**
     * All clauses of a header.
     *
     * @param header its name, for a refusal
     * @param value empty for a header that is not there
     * @throws LauncherException {@code plugin.manifest-denied}
     */
    public static List<HeaderClause> parse(String header, String value) throws LauncherException {
        List<HeaderClause> clauses = new ArrayList<>();
        if (value.isEmpty()) {
            return clauses;
        }
        for (String clause : split(header, value, ',')) {
            List<String> paths = new ArrayList<>();
            Map<String, String> parameters = new LinkedHashMap<>();
            for (String part : split(header, clause, ';')) {
                int equals = part.indexOf('=');
                if (equals < 0 && parameters.isEmpty()) {
                    paths.add(part);
                } else if (equals <= 0) {
                    throw odd(header);
                } else {
                    String name = part.substring(0, equals).strip();
                    if (parameters.put(
                                    name,
                                    unquoted(header, part.substring(equals + 1).strip()))
                            != null) {
                        throw odd(header);
                    }
                }
            }
            if (paths.isEmpty() || paths.stream().anyMatch(path -> path.indexOf('"') >= 0)) {
                throw odd(header);
            }
            clauses.add(new HeaderClause(paths, parameters));
        }
        return clauses;
    }

    private static List<String> split(String header, String value, char separator) throws LauncherException {
        List<String> parts = new ArrayList<>();
        boolean quoted = false;
        int from = 0;
        for (int i = 0; i <= value.length(); i++) {
            char c = i < value.length() ? value.charAt(i) : separator;
            if (c == '\\') {
                throw odd(header);
            }
            if (c == '"') {
                quoted = !quoted;
            } else if (c == separator && (!quoted || i == value.length())) {
                String part = value.substring(from, i).strip();
                if (quoted || part.isEmpty()) {
                    throw odd(header);
                }
                parts.add(part);
                from = i + 1;
            }
        }
        return parts;
    }

    private static String unquoted(String header, String value) throws LauncherException {
        String inner = value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"")
                ? value.substring(1, value.length() - 1)
                : value;
        if (inner.indexOf('"') >= 0) {
            throw odd(header);
        }
        return inner;
    }

    private static LauncherException odd(String header) {
        return PluginRefusals.manifest("Its header " + header + " is not written as OSGi says");
    }
}
