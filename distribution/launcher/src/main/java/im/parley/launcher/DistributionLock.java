package im.parley.launcher;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the build put into a distribution, file by file: {@code distribution.lock} in its root. Everything is checked
 * against it before any of it runs.
 *
 * @param version of the distribution
 * @param hash SHA-256 of the lock itself; two distributions are the same if it is
 * @param jars class path and bundles
 * @param features feature files, relative path to SHA-256
 */
public record DistributionLock(String version, String hash, List<Jar> jars, Map<String, String> features) {
    /** Its name in the root of a distribution. */
    public static final String FILE = "distribution.lock";

    /** The only format there is. */
    public static final int FORMAT = 1;

    public DistributionLock {
        jars = List.copyOf(jars);
        features = Map.copyOf(features);
    }

    /**
     * A jar of the distribution.
     *
     * @param id {@code group:artifact:version} for a bundle, empty for a jar of the class path
     * @param bsn bundle symbolic name, or the file name for a plain jar
     * @param version as the manifest says; may be empty for a plain jar
     * @param sha256 lower-case hex
     * @param file relative to the root, with {@code /}
     * @param startLevel OSGi start level; 0 for a jar of the class path
     */
    public record Jar(String id, String bsn, String version, String sha256, String file, int startLevel) {
        public boolean bundle() {
            return startLevel > 0;
        }
    }

    /** Reads the lock of the distribution in {@code home}. */
    public static DistributionLock read(Path home) throws LauncherException {
        byte[] content;
        try {
            content = Files.readAllBytes(home.resolve(FILE));
        } catch (IOException e) {
            throw new LauncherException(
                    "distribution.missing",
                    "There is no complete Parley distribution in " + home + ".",
                    "The file " + FILE + " could not be read.",
                    "Unpack the distribution again, or run ./parley in a checkout, which builds it.",
                    e);
        }
        try {
            Map<String, Object> root = Json.object(content);
            if (Json.number(root, "format") != FORMAT) {
                throw new IOException("format is not " + FORMAT);
            }
            List<Jar> jars = new ArrayList<>();
            for (Map<String, Object> jar : Json.objects(root, "jars")) {
                jars.add(new Jar(
                        Json.text(jar, "id"),
                        Json.text(jar, "bsn"),
                        Json.text(jar, "version"),
                        Json.text(jar, "sha256"),
                        inside(Json.text(jar, "file")),
                        Math.toIntExact(Json.number(jar, "startLevel"))));
            }
            Map<String, String> features = new LinkedHashMap<>();
            for (Map<String, Object> feature : Json.objects(root, "features")) {
                features.put(inside(Json.text(feature, "file")), Json.text(feature, "sha256"));
            }
            return new DistributionLock(Json.text(root, "version"), Hashes.sha256(content), jars, features);
        } catch (IOException | ArithmeticException e) {
            throw new LauncherException(
                    "distribution.invalid",
                    "The list of the distribution's files, " + FILE + ", cannot be understood.",
                    "It says: " + e.getMessage() + ".",
                    "Unpack the distribution again.",
                    e);
        }
    }

    /** The bytes of the lock file; equal locks have equal bytes, save for {@link #hash}, which is of these. */
    public static byte[] write(String version, List<Jar> jars, Map<String, String> features) {
        List<Map<String, Object>> jarList = new ArrayList<>();
        for (Jar jar : jars) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("file", jar.file());
            entry.put("id", jar.id());
            entry.put("bsn", jar.bsn());
            entry.put("version", jar.version());
            entry.put("sha256", jar.sha256());
            entry.put("startLevel", jar.startLevel());
            jarList.add(entry);
        }
        List<Map<String, Object>> featureList = new ArrayList<>();
        features.forEach((file, sha256) -> {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("file", file);
            entry.put("sha256", sha256);
            featureList.add(entry);
        });
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", FORMAT);
        root.put("version", version);
        root.put("jars", jarList);
        root.put("features", featureList);
        return Json.pretty(root);
    }

    /**
     * Reads a listed file once and returns exactly the bytes that were checked.
     *
     * @throws LauncherException {@code distribution.tampered}, naming the file
     */
    static byte[] checked(Path home, String file, String sha256) throws LauncherException {
        byte[] content;
        try {
            content = Files.readAllBytes(home.resolve(file));
        } catch (NoSuchFileException e) {
            throw tampered(file, "It is missing", e);
        } catch (IOException e) {
            throw tampered(file, "It cannot be read (" + e.getMessage() + ")", e);
        }
        if (!Hashes.sha256(content).equals(sha256)) {
            throw tampered(file, "Its SHA-256 differs from what " + FILE + " says", null);
        }
        return content;
    }

    /**
     * Refuses what somebody laid beside the listed jars.
     *
     * @throws LauncherException {@code distribution.tampered}, naming the file
     */
    void refuseUnlisted(Path home) throws LauncherException {
        Set<String> listed = jars.stream().map(Jar::file).collect(Collectors.toSet());
        for (String name : List.of("lib", "bundles")) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(home.resolve(name))) {
                for (Path entry : entries) {
                    String file = name + "/" + entry.getFileName();
                    if (!listed.contains(file)) {
                        throw new LauncherException(
                                "distribution.tampered",
                                "The file " + file + " does not belong to the distribution; nothing was started.",
                                FILE + " does not list it.",
                                "Remove it, or unpack the distribution you trust again.");
                    }
                }
            } catch (NoSuchFileException e) {
                throw tampered(name, "It is missing", e);
            } catch (IOException e) {
                throw tampered(name, "It cannot be read (" + e.getMessage() + ")", e);
            }
        }
    }

    static LauncherException tampered(String file, String why, @org.jspecify.annotations.Nullable Throwable cause) {
        return new LauncherException(
                "distribution.tampered",
                "The file " + file + " is not the one that was built; nothing was started.",
                why + ".",
                "Restore it from the distribution you trust, or unpack that again.",
                cause);
    }

    private static String inside(String file) throws IOException {
        Path path = Path.of(file).normalize();
        if (path.isAbsolute() || path.startsWith("..") || !path.toString().equals(file)) {
            throw new IOException("the file name " + file + " leaves the distribution");
        }
        return file;
    }
}
