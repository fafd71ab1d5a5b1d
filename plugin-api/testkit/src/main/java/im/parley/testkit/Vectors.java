package im.parley.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Official test vectors, read from the folder that the system property {@code parley.vectors} names. Without the folder
 * or the file the calling test is skipped as {@link Skipped} describes. Names are relative, for example
 * {@code bip340/test-vectors.csv}.
 */
public final class Vectors {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Vectors() {}

    /** The file or folder of that name; it exists. */
    public static Path path(String name) {
        String root = System.getProperty("parley.vectors");
        if (root == null || root.isBlank()) {
            throw Skipped.because("vectors " + name + " (system property parley.vectors is not set)");
        }
        Path path = Path.of(root).resolve(name).normalize();
        if (!Files.exists(path)) {
            throw Skipped.because("vectors " + name + " (not in the folder that parley.vectors names)");
        }
        return path;
    }

    /** The whole file. */
    public static byte[] bytes(String name) {
        Path path = path(name);
        try {
            return Files.readAllBytes(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The whole file as UTF-8 text. */
    public static String text(String name) {
        return new String(bytes(name), StandardCharsets.UTF_8);
    }

    /** The file as one JSON value. */
    public static JsonNode json(String name) {
        byte[] bytes = bytes(name);
        try {
            return MAPPER.readTree(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The lines of a UTF-8 text, without empty lines at the end. */
    public static List<String> lines(String name) {
        List<String> lines = new ArrayList<>(text(name).lines().toList());
        while (!lines.isEmpty() && lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        return lines;
    }

    /**
     * The rows of a comma-separated file, the heading first. Quotes and line breaks inside a field follow RFC 4180.
     */
    public static List<List<String>> csv(String name) {
        String text = text(name);
        List<List<String>> rows = new ArrayList<>();
        List<String> row = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quoted) {
                if (c != '"') {
                    field.append(c);
                } else if (i + 1 < text.length() && text.charAt(i + 1) == '"') {
                    field.append('"');
                    i++;
                } else {
                    quoted = false;
                }
            } else if (c == '"') {
                quoted = true;
            } else if (c == ',') {
                row.add(field.toString());
                field.setLength(0);
            } else if (c == '\n') {
                row.add(field.toString());
                field.setLength(0);
                rows.add(row);
                row = new ArrayList<>();
            } else if (c != '\r') {
                field.append(c);
            }
        }
        if (field.length() > 0 || !row.isEmpty()) {
            row.add(field.toString());
            rows.add(row);
        }
        return rows;
    }

    /** The files of a folder, sorted by name, folders inside it not entered. */
    public static List<Path> files(String folder) {
        try (Stream<Path> entries = Files.list(path(folder))) {
            return entries.filter(Files::isRegularFile).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
