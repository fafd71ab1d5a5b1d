package im.parley.storage.lmdb;

import im.parley.testkit.Seeds;
import java.nio.file.Path;

/** Homes of test instances under one folder. */
final class Homes {
    /** Room for all tests but the one of a full store. */
    static final long MAP_BYTES = 4L << 30;

    private final Path folder;
    private int made;

    Homes(Path folder) {
        this.folder = folder;
    }

    TestContext next() {
        return context(folder.resolve("home" + ++made));
    }

    static TestContext context(Path home) {
        return new TestContext(home, Seeds.secureRandom("home"));
    }
}
