package im.parley.launcher;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * A zip file that every reader understands in the same way, or none at all. Local headers and central directory must say
 * the same, the entries must fill the file without a gap, and each must inflate to exactly what it declares. So nothing
 * hides before, between or behind the entries, and whatever unpacks the file later finds what was checked here. Nothing is
 * written anywhere. Zip64, encryption, comments behind the file and links are no part of a plugin and refused.
 *
 * <p>Source: APPNOTE.TXT 6.3.10 of PKWARE. Immutable.
 */
final class ZipWalk {
    static final int MAX_ENTRIES = 20_000;
    static final long MAX_TOTAL_BYTES = 128L << 20;
    static final int MAX_ENTRY_BYTES = 32 << 20;

    /** Below this size an entry may shrink as much as it can. */
    private static final int RATIO_FROM_BYTES = 1 << 20;

    private static final int MAX_RATIO = 100;
    private static final int MAX_NAME_BYTES = 512;
    private static final int MAX_DEPTH = 40;

    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int DESCRIPTOR = 0x08074b50;
    private static final int LOCAL_BYTES = 30;
    private static final int CENTRAL_BYTES = 46;
    private static final int END_BYTES = 22;
    private static final int DESCRIPTOR_BYTES = 16;

    /** Level of deflate (1, 2), sizes behind the data (3), names in UTF-8 (11). */
    private static final int KNOWN_FLAGS = 0b1000_0000_1110;

    private static final int SIZES_BEHIND = 0b1000;
    private static final int EXTRA_ZIP64 = 0x0001;
    private static final int EXTRA_UNICODE_PATH = 0x7075;
    private static final int TYPE = 0170000;
    private static final int TYPE_FILE = 0100000;
    private static final int TYPE_DIRECTORY = 0040000;

    private final ByteBuffer zip;
    private final Map<String, Entry> entries;
    private final String where;

    /** What may be spent on a file and all that is in it. Confined to one thread. */
    static final class Budget {
        private int entries = MAX_ENTRIES;
        private long bytes = MAX_TOTAL_BYTES;
    }

    /** One file or directory; the name of a directory ends with a slash. */
    record Entry(String name, boolean deflated, int crc, int packed, int size, int local, int data) {
        boolean isDirectory() {
            return name.endsWith("/");
        }
    }

    private ZipWalk(ByteBuffer zip, Map<String, Entry> entries, String where) {
        this.zip = zip;
        this.entries = entries;
        this.where = where;
    }

    /**
     * Checks all of it.
     *
     * @param where what a refusal calls it
     * @throws LauncherException {@code plugin.bad-archive}
     */
    static ZipWalk of(byte[] content, String where, Budget budget) throws LauncherException {
        ByteBuffer zip = ByteBuffer.wrap(content).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
        ZipWalk walk = new ZipWalk(zip, new LinkedHashMap<>(), where);
        walk.read(budget);
        return walk;
    }

    /** All names in the order of the central directory. */
    List<String> names() {
        return List.copyOf(entries.keySet());
    }

    boolean holds(String name) {
        return entries.containsKey(name);
    }

    /** The content of a file; null if there is none of that name. */
    byte @Nullable [] content(String name) throws LauncherException {
        Entry entry = entries.get(name);
        if (entry == null || entry.isDirectory()) {
            return null;
        }
        byte[] content = new byte[entry.size()];
        Inflater inflater = new Inflater(true);
        try {
            inflate(entry, inflater, content, content);
            return content;
        } finally {
            inflater.end();
        }
    }

    private LauncherException bad(String why) {
        return PluginRefusals.archive(where + " " + why);
    }

    private LauncherException bad(String name, String why) {
        return PluginRefusals.archive("Entry " + name + " of " + where + " " + why);
    }

    private void read(Budget budget) throws LauncherException {
        int end = zip.limit() - END_BYTES;
        if (end < 0 || zip.getInt(end) != END) {
            throw bad("does not end as a zip file does, or something follows its end");
        }
        int count = u16(end + 10);
        long size = u32(end + 12);
        long start = u32(end + 16);
        if (u16(end + 4) != 0 || u16(end + 6) != 0 || u16(end + 8) != count || u16(end + 20) != 0) {
            throw bad("is one of several parts, or its end does not fit");
        }
        if (count == 0xFFFF || size == 0xFFFFFFFFL || start == 0xFFFFFFFFL) {
            throw bad("is a zip64 file, which no plugin has to be");
        }
        if (count > budget.entries) {
            throw bad("has more than " + MAX_ENTRIES + " entries");
        }
        budget.entries -= count;
        if (start + size != end) {
            throw bad("has a directory that is not where its end says");
        }
        List<Entry> found = directory(count, (int) start, end);
        long total = 0;
        for (Entry entry : found) {
            total += entry.size();
        }
        if (total > budget.bytes) {
            throw bad("unpacks to more than " + (MAX_TOTAL_BYTES >> 20) + " MiB");
        }
        budget.bytes -= total;
        locals(found, (int) start);
        refuseCollisions();
        contents(found);
    }

    private List<Entry> directory(int count, int start, int end) throws LauncherException {
        List<Entry> found = new ArrayList<>();
        int at = start;
        for (int i = 0; i < count; i++) {
            if (end - at < CENTRAL_BYTES || zip.getInt(at) != CENTRAL) {
                throw bad("has a broken directory");
            }
            int nameBytes = u16(at + 28);
            int extraBytes = u16(at + 30);
            int next = at + CENTRAL_BYTES + nameBytes + extraBytes + u16(at + 32);
            if (next > end) {
                throw bad("has a broken directory");
            }
            String name = name(at + CENTRAL_BYTES, nameBytes);
            refuseExtras(name, at + CENTRAL_BYTES + nameBytes, extraBytes);
            refuseFlags(name, u16(at + 8));
            int method = u16(at + 10);
            long packed = u32(at + 20);
            long size = u32(at + 24);
            long local = u32(at + 42);
            if (method != 0 && method != 8) {
                throw bad(name, "is packed in a way that Java does not know");
            }
            if (size > MAX_ENTRY_BYTES || packed > MAX_ENTRY_BYTES + 1024L || local > start) {
                throw bad(name, "declares more than " + (MAX_ENTRY_BYTES >> 20) + " MiB, or lies outside");
            }
            if (size > RATIO_FROM_BYTES && size / MAX_RATIO > packed) {
                throw bad(name, "grows more than " + MAX_RATIO + " times when unpacked");
            }
            if (method == 0 && packed != size || name.endsWith("/") && size != 0 || u16(at + 34) != 0) {
                throw bad(name, "has sizes that do not fit what it is");
            }
            int type = u16(at + 40) & TYPE;
            // Old tools call a directory a file, which is empty all the same.
            if (type != 0 && type != TYPE_FILE && !(type == TYPE_DIRECTORY && name.endsWith("/"))) {
                throw bad(name, "is a link or a device");
            }
            Entry entry = new Entry(name, method == 8, zip.getInt(at + 16), (int) packed, (int) size, (int) local, at);
            if (entries.putIfAbsent(name, entry) != null) {
                throw bad(name, "is there twice");
            }
            found.add(entry);
            at = next;
        }
        if (at != end) {
            throw bad("has something behind its directory");
        }
        return found;
    }

    /** Each local header says what the directory says, and all of them lie one behind the other from the first byte. */
    private void locals(List<Entry> found, int start) throws LauncherException {
        found.sort(Comparator.comparingInt(Entry::local));
        int expected = 0;
        for (int i = 0; i < found.size(); i++) {
            Entry entry = found.get(i);
            String name = entry.name();
            int at = entry.local();
            if (at != expected) {
                throw bad(name, "does not begin where the one before it ends, so something hides between or overlaps");
            }
            if (start - at < LOCAL_BYTES || zip.getInt(at) != LOCAL) {
                throw bad(name, "has no header of its own");
            }
            int central = entry.data();
            int nameBytes = u16(at + 26);
            int extraBytes = u16(at + 28);
            long data = at + (long) LOCAL_BYTES + nameBytes + extraBytes;
            long behind = data + entry.packed();
            if (behind > start
                    || nameBytes != u16(central + 28)
                    || !bytes(at + LOCAL_BYTES, nameBytes).equals(bytes(central + CENTRAL_BYTES, nameBytes))) {
                throw bad(name, "has another name or size in its own header than in the directory");
            }
            refuseExtras(name, at + LOCAL_BYTES + nameBytes, extraBytes);
            int flags = u16(at + 6);
            if (flags != u16(central + 8) || u16(at + 8) != u16(central + 10)) {
                throw bad(name, "is packed otherwise in its own header than in the directory");
            }
            boolean sizesBehind = (flags & SIZES_BEHIND) != 0;
            if (!said(entry, at + 14, sizesBehind)) {
                throw bad(name, "has other sizes in its own header than in the directory");
            }
            if (sizesBehind) {
                if (start - behind < DESCRIPTOR_BYTES
                        || zip.getInt((int) behind) != DESCRIPTOR
                        || !said(entry, (int) behind + 4, false)) {
                    throw bad(name, "has other sizes behind its data than in the directory");
                }
                behind += DESCRIPTOR_BYTES;
            }
            expected = (int) behind;
            Entry placed = new Entry(
                    name, entry.deflated(), entry.crc(), entry.packed(), entry.size(), entry.local(), (int) data);
            found.set(i, placed);
            entries.put(name, placed);
        }
        if (expected != start) {
            throw bad("has something between its last entry and its directory");
        }
    }

    /** Whether checksum and both sizes stand there; or zeros, where they follow later. */
    private boolean said(Entry entry, int at, boolean orNothing) {
        int crc = zip.getInt(at);
        int packed = zip.getInt(at + 4);
        int size = zip.getInt(at + 8);
        return crc == entry.crc() && packed == entry.packed() && size == entry.size()
                || orNothing && crc == 0 && packed == 0 && size == 0;
    }

    private String name(int at, int length) throws LauncherException {
        if (length == 0 || length > MAX_NAME_BYTES) {
            throw bad("has an entry with no name or one of more than " + MAX_NAME_BYTES + " bytes");
        }
        String name;
        try {
            name = StandardCharsets.UTF_8.newDecoder().decode(bytes(at, length)).toString();
        } catch (CharacterCodingException e) {
            throw bad("has an entry whose name is no UTF-8");
        }
        int depth = 0;
        int from = 0;
        boolean odd = false;
        for (int i = 0; i <= name.length(); i++) {
            char c = i < name.length() ? name.charAt(i) : '/';
            odd |= c == '\\' || c == ':' || Character.isISOControl(c);
            if (c == '/') {
                // Nothing stands behind the last slash of a directory.
                boolean end = i == name.length() && from > 0;
                String part = name.substring(from, i);
                odd |= part.isEmpty() && !end || part.equals(".") || part.equals("..");
                from = i + 1;
                depth++;
            }
        }
        odd |= depth > MAX_DEPTH;
        if (odd) {
            String shown = name.replaceAll("[\\p{Cntrl}\\x{80}-\\x{9f}]", "?");
            throw bad("has an entry whose name leads elsewhere: " + shown.substring(0, Math.min(80, shown.length())));
        }
        return name;
    }

    private void refuseExtras(String name, int from, int length) throws LauncherException {
        int at = from;
        int end = from + length;
        while (at < end) {
            if (end - at < 4 || end - at - 4 < u16(at + 2)) {
                throw bad(name, "has a broken extra field");
            }
            int id = u16(at);
            if (id == EXTRA_ZIP64 || id == EXTRA_UNICODE_PATH) {
                throw bad(name, "has an extra field that gives it another size or name");
            }
            at += 4 + u16(at + 2);
        }
    }

    private void refuseFlags(String name, int flags) throws LauncherException {
        if ((flags & ~KNOWN_FLAGS) != 0) {
            throw bad(name, "is encrypted or of another unknown kind");
        }
    }

    /** One path cannot be two things, and a second manifest in other letters would be found by some readers. */
    private void refuseCollisions() throws LauncherException {
        NavigableSet<String> sorted = new TreeSet<>(entries.keySet());
        for (String name : sorted) {
            if (name.equalsIgnoreCase(PluginArchive.MANIFEST) && !name.equals(PluginArchive.MANIFEST)) {
                throw bad(name, "is a second manifest, or one in unusual letters");
            }
            String within = name.endsWith("/") ? null : sorted.ceiling(name + "/");
            if (within != null && within.startsWith(name + "/")) {
                throw bad(name, "is a file and a directory");
            }
        }
    }

    private void contents(List<Entry> found) throws LauncherException {
        byte[] scratch = new byte[64 * 1024];
        Inflater inflater = new Inflater(true);
        try {
            for (Entry entry : found) {
                inflate(entry, inflater, scratch, null);
            }
        } finally {
            inflater.end();
        }
    }

    /** @param into where the content goes; null if it is only checked */
    private void inflate(Entry entry, Inflater inflater, byte[] scratch, byte @Nullable [] into)
            throws LauncherException {
        CRC32 crc = new CRC32();
        ByteBuffer packed = bytes(entry.data(), entry.packed());
        if (!entry.deflated()) {
            crc.update(packed.duplicate());
            if (into != null) {
                packed.get(into);
            }
        } else {
            inflater.reset();
            inflater.setInput(packed);
            long done = 0;
            try {
                while (!inflater.finished()) {
                    int from = into == null ? 0 : (int) done;
                    int room = scratch.length - from;
                    // One more byte than declared has to be seen.
                    byte[] target = room > 0 ? scratch : new byte[1];
                    int some = inflater.inflate(target, room > 0 ? from : 0, Math.max(1, room));
                    if (some == 0 && !inflater.finished()) {
                        break;
                    }
                    done += some;
                    if (done > entry.size()) {
                        break;
                    }
                    crc.update(target, room > 0 ? from : 0, some);
                }
            } catch (DataFormatException e) {
                throw bad(entry.name(), "cannot be unpacked");
            }
            if (!inflater.finished() || done != entry.size() || inflater.getBytesRead() != entry.packed()) {
                throw bad(entry.name(), "unpacks to another size than it declares");
            }
        }
        if ((int) crc.getValue() != entry.crc()) {
            throw bad(entry.name(), "has another content than its checksum says");
        }
    }

    private ByteBuffer bytes(int from, int length) {
        return zip.duplicate().position(from).limit(from + length).slice();
    }

    private int u16(int at) {
        return Short.toUnsignedInt(zip.getShort(at));
    }

    private long u32(int at) {
        return Integer.toUnsignedLong(zip.getInt(at));
    }
}
