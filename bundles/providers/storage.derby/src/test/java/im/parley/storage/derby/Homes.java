package im.parley.storage.derby;

import im.parley.api.lifecycle.ProviderException;
import im.parley.testkit.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;

/**
 * Homes of test instances under one folder. Creating an encrypted database takes a second or two, so each new home is a
 * copy of one that was created once.
 */
final class Homes {
    static final Tuning SMALL = new Tuning(1_000, 4 << 20);

    private final Path folder;
    private final DerbyEngine engine;
    private final Schema schema;
    private int made;

    Homes(Path folder, DerbyEngine engine, Schema schema) {
        this.folder = folder;
        this.engine = engine;
        this.schema = schema;
    }

    TestContext next() throws ProviderException, IOException {
        Path template = folder.resolve("template");
        if (!Files.exists(template)) {
            TestContext context = context(template);
            DerbyDatabase.open(engine, context, SMALL, schema).close();
        }
        Path home = folder.resolve("home" + ++made);
        copy(template, home);
        return context(home);
    }

    static TestContext context(Path home) {
        return new TestContext(home, Seeds.secureRandom("home"));
    }

    static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
            }
        }
    }
}
