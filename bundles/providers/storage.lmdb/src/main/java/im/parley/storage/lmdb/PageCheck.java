package im.parley.storage.lmdb;

import static org.lwjgl.system.MemoryUtil.memAlloc;
import static org.lwjgl.system.MemoryUtil.memFree;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.lwjgl.util.lmdb.LMDB;

/**
 * Compares a file of LMDB with what LMDB wrote: reads once every page that the newest commit can reach. LMDB itself believes
 * its pages; where an inner one is damaged it serves fewer rows.
 *
 * <p>A page must bear its number, its {@linkplain PageSums sum} and keys between those of its parent, and be no younger than
 * its parent; each tree must have the depth and the numbers of pages and entries that its record says. So what the disk
 * changed, lost or wrote to a wrong place is found. What is not: an old state of one leaf that has the range and the number
 * of keys of the new one; and an old state of the whole file, or of the meta page of the last commit, which looks as if the
 * power was cut before it.
 *
 * <p>For one thread. The layout is the one of {@code mdb.c} of LMDB 1.0 on 64 bits, data version 3:
 * https://git.openldap.org/openldap/openldap/-/blob/mdb.master3/libraries/liblmdb/mdb.c
 */
final class PageCheck implements AutoCloseable {
    // Header of a page.
    private static final int HEADER = 24;
    private static final int PAGE_TXN = 8;
    private static final int PAGE_KIND = 18;
    private static final int PAGE_LOWER = 20;
    private static final int PAGE_COUNT = 20;
    private static final int BRANCH = 0x01;
    private static final int LEAF = 0x02;
    private static final int OVERFLOW = 0x04;
    private static final int META = 0x08;

    // A node: in a branch the number of a page (6 bytes) and its least key, in a leaf the size of the value (4), flags,
    // key
    // and value.
    private static final int NODE_FLAGS = 4;
    private static final int NODE_KEY_BYTES = 6;
    private static final int NODE_KEY = 8;
    private static final int BIG = 0x01;
    private static final int TREE = 0x02;
    /** Of the value that stands for one on pages of its own: first page, transaction, number of pages. */
    private static final int BIG_BYTES = 24;

    // The record of a tree.
    private static final int TREE_FLAGS = 4;
    private static final int TREE_DEPTH = 6;
    private static final int TREE_BRANCHES = 8;
    private static final int TREE_LEAVES = 16;
    private static final int TREE_OVERFLOWS = 24;
    private static final int TREE_ENTRIES = 32;
    private static final int TREE_ROOT = 40;
    private static final int TREE_BYTES = 48;
    private static final long NO_ROOT = -1;
    private static final int DEEPEST = 32;

    // A meta page: two trees, the first of them that of free pages.
    private static final int META_FREE = HEADER + 24;
    private static final int META_MAIN = META_FREE + TREE_BYTES;
    private static final int META_LAST_PAGE = META_MAIN + TREE_BYTES;
    private static final int META_TXN = META_LAST_PAGE + 8;
    private static final int META_BYTES = META_TXN + 8;

    private static final int CHUNK = 1 << 20;

    private final FileChannel file;
    private final int pageBytes;
    private final BooleanSupplier wanted;
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer chunk = memAlloc(CHUNK);
    private final byte[] meta = new byte[META_BYTES];

    /** One page for each level of the trees; those of the tables are below the main one. */
    private final @Nullable ByteBuffer[] pages = new @Nullable ByteBuffer[2 * DEEPEST];

    private final long lastPage;

    // Of the tree that is being counted.
    private long branches;
    private long leaves;
    private long overflows;
    private long entries;

    /**
     * Reads where the trees begin, so that what is committed after this is not looked at.
     *
     * @param wanted asked at each page; once it is false the check ends as if the file was closed
     */
    PageCheck(Path path, int pageBytes, BooleanSupplier wanted) throws IOException, LmdbException {
        this.pageBytes = pageBytes;
        this.wanted = wanted;
        file = FileChannel.open(path, StandardOpenOption.READ);
        boolean done = false;
        try {
            ByteBuffer even = meta(0);
            ByteBuffer odd = meta(1);
            long evenTxn = even.getLong(META_TXN);
            long oddTxn = odd.getLong(META_TXN);
            // Commits write them in turn. A newest one with a lower number would set the store back by a commit.
            if (evenTxn % 2 != 0 || oddTxn % 2 != 1 || Math.abs(evenTxn - oddTxn) != 1) {
                throw corrupt("the commits of its two meta pages do not follow each other");
            }
            for (int tree : new int[] {META_FREE, META_MAIN}) {
                if (even.getShort(tree + TREE_FLAGS) != odd.getShort(tree + TREE_FLAGS)) {
                    throw corrupt("its two meta pages differ");
                }
            }
            ByteBuffer newest = evenTxn > oddTxn ? even : odd;
            ByteBuffer before = evenTxn > oddTxn ? odd : even;
            newest.get(0, meta);
            lastPage = newest.getLong(META_LAST_PAGE);
            if (lastPage < before.getLong(META_LAST_PAGE)) {
                throw corrupt("it has become shorter");
            }
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    private ByteBuffer meta(long number) throws IOException, LmdbException {
        ByteBuffer page = ByteBuffer.allocate(META_BYTES).order(ByteOrder.nativeOrder());
        read(page, number * pageBytes);
        if (page.getLong(0) != number || (page.getShort(PAGE_KIND) & META) == 0) {
            throw corrupt("page " + number + " is not a meta page");
        }
        return page;
    }

    /** Has the system fetch the file in the order of the disk, as what follows reads here and there. */
    void readAhead() throws IOException {
        for (long at = 0; file.read(chunk.clear(), at) > 0; at += CHUNK) {
            goOn();
        }
    }

    /** @throws LmdbException {@code MDB_CORRUPTED}, or {@code MDB_BAD_CHECKSUM} */
    void check() throws IOException, LmdbException {
        ByteBuffer trees = ByteBuffer.wrap(meta).order(ByteOrder.nativeOrder());
        long txn = trees.getLong(META_TXN);
        tree(trees, META_FREE, txn, 0, true);
        tree(trees, META_MAIN, txn, 0, false);
        ByteBuffer mainRoot = pages[0];
        // Each commit changes a table, and so writes the root of the tree of tables.
        if (mainRoot == null || mainRoot.getLong(PAGE_TXN) != txn) {
            throw corrupt("its tables are not those of the newest commit");
        }
    }

    @Override
    public void close() throws IOException {
        memFree(chunk);
        for (ByteBuffer page : pages) {
            memFree(page);
        }
        file.close();
    }

    /** @param level where there are buffers to use */
    private void tree(ByteBuffer records, int at, long txn, int level, boolean free) throws IOException, LmdbException {
        long root = records.getLong(at + TREE_ROOT);
        int depth = records.getShort(at + TREE_DEPTH);
        branches = 0;
        leaves = 0;
        overflows = 0;
        entries = 0;
        if (root == NO_ROOT ? depth != 0 : depth < 1 || depth > DEEPEST) {
            throw corrupt("a tree of depth " + depth);
        }
        if (root != NO_ROOT) {
            page(root, txn, level, depth, free, null, null);
        }
        if (branches != records.getLong(at + TREE_BRANCHES)
                || leaves != records.getLong(at + TREE_LEAVES)
                || overflows != records.getLong(at + TREE_OVERFLOWS)
                || entries != records.getLong(at + TREE_ENTRIES)) {
            throw corrupt("a tree with more or less than its record says");
        }
    }

    /**
     * A page of a tree and all below it.
     *
     * @param youngest transaction that may have written it
     * @param height levels of the tree from here on; a leaf has 1
     * @param least its keys are not less than that; null: nothing is
     * @param end its keys are less than that; null: all are
     */
    private void page(
            long number,
            long youngest,
            int level,
            int height,
            boolean free,
            byte @Nullable [] least,
            byte @Nullable [] end)
            throws IOException, LmdbException {
        ByteBuffer page = buffer(level);
        long txn = fetch(number, youngest, page);
        int kind = page.getShort(PAGE_KIND);
        int keys = page.getShort(PAGE_LOWER) >> 1;
        if (kind != (height > 1 ? BRANCH : LEAF) || keys < 1 || HEADER + 2 * keys > pageBytes) {
            throw corrupt("page " + number + " is of a wrong kind");
        }
        // The first node of a branch has no key, it stands for all that are lower.
        int first = node(page, height > 1 ? Math.min(1, keys - 1) : 0);
        int last = node(page, keys - 1);
        if ((height == 1 || keys > 1)
                && ((least != null && compare(key(page, first), least, free) < 0)
                        || (end != null && compare(key(page, last), end, free) >= 0))) {
            throw corrupt("page " + number + " has keys of another place");
        }
        if (height == 1) {
            leaves++;
            entries += keys;
            leaf(page, txn, keys, level, free);
            return;
        }
        branches++;
        byte @Nullable [] from = least;
        for (int i = 0; i < keys; i++) {
            int node = node(page, i);
            long child = Integer.toUnsignedLong(page.getInt(node))
                    | (long) Short.toUnsignedInt(page.getShort(node + NODE_FLAGS)) << 32;
            byte @Nullable [] to = i + 1 < keys ? key(page, node(page, i + 1)) : end;
            page(child, txn, level + 1, height - 1, free, from, to);
            from = to;
        }
    }

    private void leaf(ByteBuffer page, long txn, int keys, int level, boolean free) throws IOException, LmdbException {
        for (int i = 0; i < keys; i++) {
            int node = node(page, i);
            int flags = page.getShort(node + NODE_FLAGS);
            int value = node + NODE_KEY + even(page.getShort(node + NODE_KEY_BYTES));
            if (flags == BIG && value + BIG_BYTES <= pageBytes) {
                big(page.getLong(value), page.getLong(value + 2 * Long.BYTES), txn);
            } else if (flags == TREE && level < DEEPEST && !free && value + TREE_BYTES <= pageBytes) {
                long[] counted = {branches, leaves, overflows, entries};
                tree(page, value, txn, level + 1, false);
                branches = counted[0];
                leaves = counted[1];
                overflows = counted[2];
                entries = counted[3];
            } else if (flags != 0) {
                throw corrupt("an entry of a wrong kind");
            }
        }
    }

    /** A value on pages of its own, of which only the first has a header, and the last the sum of all. */
    private void big(long number, long count, long youngest) throws IOException, LmdbException {
        if (count < 1 || count > lastPage) {
            throw corrupt("a value of " + count + " pages");
        }
        checkPlace(number, count);
        crc.reset();
        long left = count * pageBytes;
        for (long at = number * pageBytes; left > 0; at += CHUNK) {
            goOn();
            int length = (int) Math.min(left, CHUNK);
            read(chunk.clear().limit(length), at);
            if (at == number * pageBytes
                    && (chunk.getLong(0) != number
                            || chunk.getShort(PAGE_KIND) != OVERFLOW
                            || chunk.getInt(PAGE_COUNT) != count
                            || chunk.getLong(PAGE_TXN) > youngest)) {
                throw corrupt("page " + number + " is another one");
            }
            left -= length;
            if (left > 0) {
                crc.update(chunk.flip());
            } else {
                checkSum(chunk.flip(), number);
            }
        }
        overflows += count;
    }

    private ByteBuffer buffer(int level) {
        ByteBuffer known = pages[level];
        if (known == null) {
            known = memAlloc(pageBytes).order(ByteOrder.nativeOrder());
            pages[level] = known;
        }
        return known;
    }

    /** Answers the transaction that wrote it. */
    private long fetch(long number, long youngest, ByteBuffer page) throws IOException, LmdbException {
        goOn();
        checkPlace(number, 1);
        read(page.clear(), number * pageBytes);
        crc.reset();
        checkSum(page.flip(), number);
        long txn = page.getLong(PAGE_TXN);
        if (page.getLong(0) != number || txn > youngest) {
            throw corrupt("page " + number + " is another one");
        }
        return txn;
    }

    private void checkPlace(long number, long count) throws LmdbException {
        if (number < 2 || number > lastPage - count + 1) {
            throw corrupt("a page outside of the file");
        }
    }

    /** @param end of what has been summed up to here: the last four bytes are the sum */
    private void checkSum(ByteBuffer end, long number) throws LmdbException {
        int summed = end.limit() - PageSums.BYTES;
        int written = end.getInt(summed);
        crc.update(end.limit(summed));
        if ((int) crc.getValue() != written) {
            throw new LmdbException(LMDB.MDB_BAD_CHECKSUM, "page " + number + " is not what was written");
        }
        end.limit(summed + PageSums.BYTES);
    }

    private int node(ByteBuffer page, int index) throws LmdbException {
        int node = HEADER + Short.toUnsignedInt(page.getShort(HEADER + 2 * index));
        if (node + NODE_KEY > pageBytes
                || node + NODE_KEY + Short.toUnsignedInt(page.getShort(node + NODE_KEY_BYTES)) > pageBytes) {
            throw corrupt("an entry outside of its page");
        }
        return node;
    }

    /** Values begin at an even place. */
    private static int even(int length) {
        return length + 1 & ~1;
    }

    private static byte[] key(ByteBuffer page, int node) {
        byte[] key = new byte[Short.toUnsignedInt(page.getShort(node + NODE_KEY_BYTES))];
        page.get(node + NODE_KEY, key);
        return key;
    }

    private static int compare(byte[] one, byte[] other, boolean free) throws LmdbException {
        if (!free) {
            return Arrays.compareUnsigned(one, other);
        }
        if (one.length != Long.BYTES || other.length != Long.BYTES) {
            throw corrupt("a list of free pages without a number");
        }
        return Long.compareUnsigned(number(one), number(other));
    }

    private static long number(byte[] key) {
        return ByteBuffer.wrap(key).order(ByteOrder.nativeOrder()).getLong();
    }

    private void read(ByteBuffer to, long at) throws IOException, LmdbException {
        while (to.hasRemaining()) {
            int length = file.read(to, at + to.position());
            if (length < 0) {
                throw corrupt("it ends too early");
            }
        }
    }

    private void goOn() throws ClosedChannelException {
        if (!wanted.getAsBoolean()) {
            throw new ClosedChannelException();
        }
    }

    private static LmdbException corrupt(String what) {
        return new LmdbException(LMDB.MDB_CORRUPTED, what);
    }
}
