package im.parley.backup.internal;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A directory of small files, named by relative paths with slashes. Tests put faults between. */
interface Folder {
    /** Null if absent. */
    byte @Nullable [] read(String name, int maxBytes) throws IOException;

    /**
     * Creates or replaces a file, mode 0600. Its content is on disk when this returns and never half of it under its name;
     * the name itself is only after {@link #sync}.
     */
    void write(String name, byte[] content) throws IOException;

    /** Makes names in that directory durable. */
    void sync(String directory) throws IOException;

    /** Absent is fine. */
    void delete(String name) throws IOException;

    /** Names in that directory without it, sorted; none if it is absent. */
    List<String> list(String directory) throws IOException;
}
