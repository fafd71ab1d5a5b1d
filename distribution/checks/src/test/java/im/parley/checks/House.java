package im.parley.checks;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Where the rooms are: the compiled output of every module, found in the tree. */
final class House {
    static final Path ROOT = Path.of(System.getProperty("parley.root", "../.."));

    private House() {}

    /** {@code target/classes} of the API bundle and of every bundle on the floors above it. */
    static List<Path> bundles() {
        List<Path> found = new ArrayList<>();
        found.add(ROOT.resolve("plugin-api/api/target/classes"));
        for (String floor : List.of("foundation", "providers", "services", "apps")) {
            found.addAll(outputs(ROOT.resolve("bundles").resolve(floor)));
        }
        return found;
    }

    /** Every production class of ours; what a bundle embeds from elsewhere is not ours to rule. */
    static JavaClasses classes() {
        List<Path> all = new ArrayList<>(bundles());
        all.add(ROOT.resolve("distribution/launcher/target/classes"));
        all.add(ROOT.resolve("distribution/cli/target/classes"));
        return new ClassFileImporter()
                .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .importPaths(all)
                .that(resideInAPackage("im.parley.."));
    }

    /** Names of the rooms on a floor, for example {@code storage.derby}. */
    static List<String> rooms(String floor) {
        return outputs(ROOT.resolve("bundles").resolve(floor)).stream()
                .map(classes -> classes.getName(classes.getNameCount() - 3).toString())
                .toList();
    }

    private static List<Path> outputs(Path floor) {
        try (Stream<Path> rooms = Files.list(floor)) {
            return rooms.filter(room -> Files.exists(room.resolve("pom.xml")))
                    .map(room -> room.resolve("target/classes"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
