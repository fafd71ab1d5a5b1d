package im.parley.vault.internal;

import java.io.IOException;

/** The bytes of a file of keys: read, written and forced at places. Not thread-safe: {@link KeyFile} calls it under its lock. */
interface SlotFile {
    /** 0 if there is no file. */
    long size() throws IOException;

    /** Fewer bytes at the end of the file, none behind it. */
    byte[] read(long from, int length) throws IOException;

    /** Over what is there, or behind it; makes the file if there is none. */
    void write(long from, byte[] bytes) throws IOException;

    /** What was written is on disk, the file's name too. */
    void force() throws IOException;

    /** Zeros over everything, on disk, and then no file; absent is fine. */
    void erase() throws IOException;

    /** Can be used again: the next call opens it anew. */
    void close();
}
