package im.parley.storage.lmdb;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.lwjgl.system.Configuration;
import org.lwjgl.util.lmdb.LMDB;
import org.lwjgl.util.lmdb.MDBSumFunc;

/**
 * The native libraries that this bundle carries for the machine it runs on: LWJGL's and, with LMDB in it, LWJGL's for LMDB.
 *
 * <p>LWJGL's own loader shares files in the temporary directory between users and leaves them behind. Here they are written
 * into the provider's private directory under a new name, loaded from there by LWJGL, and their names are removed at once;
 * each class loader so has a copy of its own, as the JVM demands.
 */
final class LmdbLibrary {
    private static final String PREFIX = "native-";

    private LmdbLibrary() {}

    /**
     * Loads both. Once they are loaded for this class loader, doing it again changes nothing.
     *
     * @param directory of this provider alone; what a killed process left of its copies is removed from it
     * @throws ProviderException {@code UNAVAILABLE storage.no-native}; it stays so until the bundle is loaded anew
     */
    static void load(Path directory) throws ProviderException {
        load(directory, System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
    }

    static synchronized void load(Path directory, String system, String architecture) throws ProviderException {
        String folder = "/native/" + platform(system, architecture) + "/org/lwjgl/";
        if (LmdbLibrary.class.getResource(folder + "liblwjgl.so") == null) {
            throw unavailable("this bundle carries no library for " + system + " on " + architecture, null);
        }
        try {
            removeLeftOvers(directory);
            Path copies = Files.createTempDirectory(directory, PREFIX, only("rwx------"));
            try {
                Function<String, String> path =
                        name -> copies.resolve("lib" + name + ".so").toString();
                write(folder + "liblwjgl.so", Path.of(path.apply("lwjgl")));
                write(folder + "lmdb/liblwjgl_lmdb.so", Path.of(path.apply("lwjgl_lmdb")));
                // LWJGL asks for the names while its classes are initialised, which happens once.
                Configuration.LIBRARY_NAME.set(path.apply("lwjgl"));
                Configuration.BUNDLED_LIBRARY_NAME_MAPPER.set(path);
                Configuration.MEMORY_ALLOCATOR.set("system");
                LMDB.mdb_strerror(0);
                prepareFunctions();
            } finally {
                remove(copies);
            }
        } catch (IOException | UnsupportedOperationException e) {
            throw unavailable("the library could not be written to the provider's directory", e);
        } catch (LinkageError e) {
            throw unavailable(
                    "the system did not load the library (a directory without execution, or another C library)", e);
        }
    }

    /** LWJGL's classes for functions leave a thread local with the thread that initialises them, so that one ends at once. */
    private static void prepareFunctions() {
        Thread preparing =
                new Thread(() -> MDBSumFunc.create((source, target, key) -> {}).free(), "parley-lmdb-functions");
        preparing.setDaemon(true);
        preparing.start();
        boolean interrupted = false;
        while (true) {
            try {
                preparing.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void removeLeftOvers(Path directory) throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(directory, PREFIX + "*")) {
            for (Path copies : left) {
                remove(copies);
            }
        }
    }

    private static void remove(Path copies) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(copies)) {
            for (Path file : files) {
                Files.delete(file);
            }
        }
        Files.delete(copies);
    }

    private static void write(String resource, Path file) throws IOException {
        try (InputStream library = LmdbLibrary.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw new IOException("the bundle lacks " + resource);
            }
            Files.createFile(file, only("rwx------"));
            try (var out = Files.newOutputStream(file)) {
                library.transferTo(out);
            }
        }
    }

    private static FileAttribute<Set<PosixFilePermission>> only(String permissions) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions));
    }

    private static String platform(String system, String architecture) {
        String processor = switch (architecture) {
            case "amd64", "x86_64" -> "x64";
            case "aarch64", "arm64" -> "arm64";
            default -> "none";
        };
        return (system.equals("Linux") ? "linux/" : "none/") + processor;
    }

    private static ProviderException unavailable(String why, @Nullable Throwable cause) {
        String text = "LMDB is not available: " + why + ". Keep the store you have.";
        return cause == null
                ? new ProviderException(Kind.UNAVAILABLE, "storage.no-native", text)
                : new ProviderException(Kind.UNAVAILABLE, "storage.no-native", text, cause);
    }
}
