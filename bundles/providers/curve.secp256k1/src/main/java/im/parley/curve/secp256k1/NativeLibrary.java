package im.parley.curve.secp256k1;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * Loads the library that this bundle carries for the machine it runs on.
 *
 * <p>acinq's own loader writes into the shared temporary directory and leaves its files behind after a kill; this one
 * uses the provider's private directory and removes the name as soon as the library is mapped.
 */
final class NativeLibrary {
    private static final String FOLDER = "/fr/acinq/secp256k1/jni/native/";
    private static final String FILE = "libsecp256k1-jni";

    private NativeLibrary() {}

    /**
     * Binds the native methods of this bundle's class loader. Loading again maps a second copy and changes nothing.
     *
     * @throws ProviderException {@code UNAVAILABLE curve.no-native}
     */
    static void load(Path directory, String system, String architecture) throws ProviderException {
        String resource = FOLDER + platform(system, architecture) + "/" + FILE + ".so";
        try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw unavailable("this bundle carries no library for " + system + " on " + architecture, null);
            }
            // A fresh name each time: the JVM refuses a path that another class loader has loaded.
            Path copy = Files.createTempFile(
                    directory,
                    FILE,
                    ".so",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            try {
                Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
                System.load(copy.toAbsolutePath().toString());
            } finally {
                Files.deleteIfExists(copy);
            }
        } catch (IOException | UnsupportedOperationException e) {
            throw unavailable("the library could not be written to the provider's directory", e);
        } catch (LinkageError e) {
            throw unavailable(
                    "the system did not load the library (a directory without execution, or another C library)", e);
        }
    }

    private static String platform(String system, String architecture) {
        String processor = switch (architecture) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> "none";
        };
        return (system.equals("Linux") ? "linux-" : "none-") + processor;
    }

    private static ProviderException unavailable(String why, @Nullable Throwable cause) {
        String text = "The native secp256k1 library is not available: " + why
                + ". Put the pure Java provider behind it in the slot's preference list.";
        return cause == null
                ? new ProviderException(Kind.UNAVAILABLE, "curve.no-native", text)
                : new ProviderException(Kind.UNAVAILABLE, "curve.no-native", text, cause);
    }
}
