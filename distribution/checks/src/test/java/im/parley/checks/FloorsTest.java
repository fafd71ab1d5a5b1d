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
    private static final String[] FOUNDATION = {
        "im.parley.protocol..",
        "im.parley.cipher..",
        "im.parley.slot..",
        "im.parley.vault..",
        "im.parley.egress..",
        "im.parley.http.."
    };
    private static final String[] PROVIDERS = {
        "im.parley.curve..",
        "im.parley.identity..",
        "im.parley.scheme..",
        "im.parley.storage..",
        "im.parley.transport.."
    };
    private static final String[] SERVICES = {
        "im.parley.envelope..",
        "im.parley.relayclient..",
        "im.parley.outbox..",
        "im.parley.messenger..",
        "im.parley.relay.."
    };
    private static final String[] APPS = {"im.parley.control.."};
    private static final String[] DISTRIBUTION = {"im.parley.launcher..", "im.parley.cli.."};

    private static JavaClasses house;

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
                "im.parley.curve.bouncycastle.BouncyCastleSecp256k1",
                "im.parley.messenger.Messenger",
                "im.parley.relayclient.RelayClient",
                "im.parley.http.HttpRoute",
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
        slices().matching("im.parley.(curve|identity|scheme|storage|transport).(*)..")
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
    void noCyclesBetweenRooms() {
        slices().matching(
                        "im.parley.(protocol|cipher|slot|vault|egress|http|envelope|relayclient|outbox|messenger|relay|control)..")
                .should()
                .beFreeOfCycles()
                .check(house);
    }

    private static String[] join(String[]... groups) {
        return java.util.Arrays.stream(groups).flatMap(java.util.Arrays::stream).toArray(String[]::new);
    }
}
