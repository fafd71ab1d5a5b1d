package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * Settings of Derby under which the promises of the stores do not hold: commits that are not on disk, statements with
 * their values in a log, a way in from outside. Anybody may set them for the whole JVM, so they are looked for at each
 * opening and refused.
 */
final class UnsafeSettings {
    /** Asked again of the open database, where they may be kept as well. */
    static final List<String> IN_DATABASE =
            List.of("derby.language.logStatementText", "derby.language.logQueryPlan", "derby.authentication.provider");

    private UnsafeSettings() {}

    /**
     * Looks at the system properties and at {@code derby.properties}.
     *
     * @throws ProviderException {@code REJECTED config.unsafe}
     */
    static void check(Path systemHome) throws ProviderException {
        check(System.getProperties(), "the system properties");
        Properties file = new Properties();
        try (InputStream in = Files.newInputStream(systemHome.resolve("derby.properties"))) {
            file.load(in);
        } catch (NoSuchFileException e) {
            return;
        } catch (IOException | IllegalArgumentException e) {
            throw unsafe("derby.properties", "something unreadable", "derby.system.home");
        }
        check(file, "derby.properties");
    }

    private static void check(Properties properties, String where) throws ProviderException {
        // Copied, because the system properties change under the feet of an iteration.
        for (String name : properties.stringPropertyNames()) {
            check(name, properties.getProperty(name), where);
        }
    }

    static void check(String name, @Nullable String value, String where) throws ProviderException {
        if (value == null) {
            return;
        }
        String setting = value.trim();
        boolean unsafe = switch (name) {
            case "derby.system.durability" -> setting.equalsIgnoreCase("test");
            case "derby.language.logStatementText", "derby.language.logQueryPlan", "derby.drda.startNetworkServer" ->
                setting.equalsIgnoreCase("true");
            case "derby.authentication.provider" -> setting.equalsIgnoreCase("LDAP");
            default -> false;
        };
        if (unsafe) {
            throw unsafe(name, setting, where);
        }
    }

    private static ProviderException unsafe(String name, String setting, String where) {
        return new ProviderException(
                Kind.REJECTED,
                "config.unsafe",
                "The store was not opened because " + name + "=" + setting + " is set in " + where
                        + ": with it messages could be lost or end up in a log. Remove it and start again.");
    }
}
