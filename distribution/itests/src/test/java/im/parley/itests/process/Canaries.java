package im.parley.itests.process;

import java.io.BufferedInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Looks for byte strings that must not be somewhere. */
final class Canaries {
    private static final int BUFFER = 1 << 20;

    private final Map<String, byte[]> wanted = new LinkedHashMap<>();

    /** Looks for the text as UTF-8 and as UTF-16 (a heap keeps either). */
    Canaries text(String name, String text) {
        if (wanted.containsKey(name)) {
            throw new IllegalArgumentException("two canaries are called " + name);
        }
        wanted.put(name, text.getBytes(StandardCharsets.UTF_8));
        wanted.put(name + " as UTF-16LE", text.getBytes(StandardCharsets.UTF_16LE));
        wanted.put(name + " as UTF-16BE", text.getBytes(StandardCharsets.UTF_16BE));
        return this;
    }

    Canaries bytes(String name, byte[] bytes) {
        if (wanted.put(name, bytes.clone()) != null) {
            throw new IllegalArgumentException("two canaries are called " + name);
        }
        return this;
    }

    /** What was found where; empty is good. */
    List<String> search(Collection<File> files) throws IOException {
        List<String> hits = new ArrayList<>();
        for (File file : files) {
            hits.addAll(search(file));
        }
        return hits;
    }

    private List<String> search(File file) throws IOException {
        int longest = wanted.values().stream().mapToInt(w -> w.length).max().orElse(0);
        List<String> hits = new ArrayList<>();
        byte[] window = new byte[BUFFER + longest];
        int filled = 0;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file.toPath()), BUFFER)) {
            int n;
            while ((n = in.read(window, filled, window.length - filled)) > 0) {
                filled += n;
                for (Map.Entry<String, byte[]> each : wanted.entrySet()) {
                    if (indexOf(window, filled, each.getValue()) >= 0) {
                        hits.add(each.getKey() + " in " + file);
                    }
                }
                int keep = Math.min(longest, filled);
                System.arraycopy(window, filled - keep, window, 0, keep);
                filled = keep;
            }
        }
        return hits.stream().distinct().toList();
    }

    private static int indexOf(byte[] where, int length, byte[] what) {
        outer:
        for (int i = 0; i <= length - what.length; i++) {
            for (int j = 0; j < what.length; j++) {
                if (where[i + j] != what[j]) {
                    continue outer;
                }
            }
            return i;
        }
        return -1;
    }
}
