package im.parley.checks;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Floors: imports go down, or sideways without cycles inside foundation and inside services. */
class FloorsTest {
    private static final String[] FOUNDATION = packages("foundation");
    private static final String[] PROVIDERS = packages("providers");
    private static final String[] SERVICES = packages("services");
    private static final String[] APPS = packages("apps");
    private static final String[] DISTRIBUTION = {"im.parley.launcher..", "im.parley.cli.."};

    private static JavaClasses house;

    /** Folder = floor: a bundle in {@code bundles/providers/x.y} is package {@code im.parley.x.y} on the providers' floor. */
    private static String[] packages(String floor) {
        String[] found = House.rooms(floor).stream()
                .map(room -> "im.parley." + room + "..")
                .toArray(String[]::new);
        assertTrue(found.length > 0, floor + " is empty: the rules would prove nothing");
        return found;
    }

    @BeforeAll
    static void read() {
        house = House.classes();
    }

    @Test
    void everyRoomWasRead() {
        for (String name : List.of(
                "im.parley.api.event.Event",
                "im.parley.slot.Slot",
                "im.parley.storage.derby.DerbyEventStore",
                "im.parley.storage.lmdb.LmdbEventStore",
                "im.parley.blobs.disk.DiskBlobStore",
                "im.parley.curve.bouncycastle.BouncyCastleSecp256k1",
                "im.parley.messenger.Messenger",
                "im.parley.relayclient.RelayClient",
                "im.parley.http.HttpRoute",
                "im.parley.files.http.internal.FileServer",
                "im.parley.backup.Backups",
                "im.parley.launcher.Parley",
                "im.parley.cli.Main")) {
            assertTrue(house.contain(name), name + " was not read: the checks would prove nothing");
        }
    }

    @Test
    void apiKnowsNobody() {
        noClasses()
                .that()
                .resideInAPackage("im.parley.api..")
                .should()
                .dependOnClassesThat()
                .resideOutsideOfPackages(
                        "java..", "org.osgi.annotation..", "org.jspecify.annotations..", "im.parley.api..")
                .check(house);
    }

    @Test
    void foundationLooksOnlyDown() {
        noClasses()
                .that()
                .resideInAnyPackage(FOUNDATION)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(join(PROVIDERS, SERVICES, APPS, DISTRIBUTION))
                .check(house);
    }

    @Test
    void providersLookOnlyDown() {
        noClasses()
                .that()
                .resideInAnyPackage(PROVIDERS)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(join(SERVICES, APPS, DISTRIBUTION))
                .check(house);
    }

    @Test
    void providersNeverKnowEachOther() {
        slices().matching("im.parley.(blobs|curve|identity|scheme|storage|transport).(*)..")
                .namingSlices("$1.$2")
                .should()
                .notDependOnEachOther()
                .check(house);
    }

    @Test
    void nobodyAboveKnowsAProvider() {
        noClasses()
                .that()
                .resideInAnyPackage(join(SERVICES, APPS, DISTRIBUTION))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(PROVIDERS)
                .check(house);
    }

    @Test
    void servicesLookOnlyDown() {
        noClasses()
                .that()
                .resideInAnyPackage(SERVICES)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(join(APPS, DISTRIBUTION))
                .check(house);
    }

    @Test
    void noCyclesBetweenRoomsNorInsideThem() {
        slices().matching("im.parley.(*)..").should().beFreeOfCycles().check(house);
        slices().matching("im.parley.(**)").should().beFreeOfCycles().check(house);
    }

    private static String[] join(String[]... groups) {
        return java.util.Arrays.stream(groups).flatMap(java.util.Arrays::stream).toArray(String[]::new);
    }
}
