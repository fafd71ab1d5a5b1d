package im.parley.launcher;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** What a configuration from outside the distribution may say. */
final class Overrides {
    /** Names the instance whose directory an upgraded one goes on with; an instance of the same component. */
    static final String DIRECTORY = "parley.directory";

    private static final Pattern PID = Pattern.compile("[A-Za-z0-9_.-]{1,150}(~[A-Za-z0-9_.-]{1,100})?");
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}");
    private static final Pattern SECRET_KEY = Pattern.compile("(?i)n(crypt)?sec1[0-9a-z]+");
    private static final Pattern SECRET_NAME =
            Pattern.compile("(?i).*(password|passphrase|secret|private-?_?key|token|credential).*");

    private Overrides() {}

    /** A sentence's end if a name of a configuration, a property or a value may not be; empty if all may. */
    static String refused(String pid, Map<String, Object> properties) {
        if (!PID.matcher(pid).matches()) {
            return "that is no PID";
        }
        for (Map.Entry<String, Object> property : properties.entrySet()) {
            String key = property.getKey();
            if (!KEY.matcher(key).matches()) {
                return key + " is no name of a property";
            }
            if (key.startsWith("service.") || key.startsWith("component.") || key.startsWith("felix.")) {
                return key + " belongs to the framework";
            }
            List<?> values = property.getValue() instanceof List<?> list ? list : List.of(property.getValue());
            for (Object value : values) {
                if (value instanceof String text && text.contains("${")) {
                    return key + " holds ${, which stands for values of one start in the distribution's own files";
                }
            }
            if (key.equals(DIRECTORY) && !isDirectoryOf(property.getValue(), pid)) {
                return DIRECTORY + " has to name an instance of the same component";
            }
        }
        return "";
    }

    /** Where something that looks like a secret stands; empty if nothing does. Never says what it is. */
    static String secret(String pid, Map<String, Object> properties) {
        for (Map.Entry<String, Object> property : properties.entrySet()) {
            boolean named = SECRET_NAME.matcher(property.getKey()).matches();
            List<?> values = property.getValue() instanceof List<?> list ? list : List.of(property.getValue());
            if (named
                    || values.stream()
                            .anyMatch(value ->
                                    SECRET_KEY.matcher(String.valueOf(value)).find())) {
                return pid + " " + property.getKey();
            }
        }
        return "";
    }

    /** One provider's files are never another one's business, whoever asks. */
    private static boolean isDirectoryOf(Object value, String pid) {
        int tilde = pid.indexOf('~');
        return tilde > 0
                && value instanceof String text
                && PID.matcher(text).matches()
                && text.startsWith(pid.substring(0, tilde + 1));
    }
}
