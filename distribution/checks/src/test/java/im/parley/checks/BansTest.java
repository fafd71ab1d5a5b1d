package im.parley.checks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What no class of ours may do: laws 5 to 7 of the architecture, and the bans that past attacks taught. */
class BansTest {
    private static JavaClasses house;

    @BeforeAll
    static void read() {
        house = House.classes();
    }

    @Test
    void namesSayWhatAThingIs() {
        noClasses()
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Manager|Impl)(\\$.*)?")
                .check(house);
        noMethods().should().haveName("getInstance").check(house);
    }

    @Test
    void timeIsHandedIn() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName("im.parley.slot.internal.SystemClock")
                .and()
                .resideOutsideOfPackages("im.parley.launcher..", "im.parley.cli..")
                .should()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .callMethod(java.time.Instant.class, "now")
                .orShould()
                .callMethod(java.time.Clock.class, "systemUTC")
                .orShould()
                .callMethod(java.time.InstantSource.class, "system")
                .check(house);
    }

    @Test
    void randomnessIsHandedIn() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName("im.parley.slot.internal.SystemRandom")
                .should()
                .callConstructor(java.security.SecureRandom.class)
                .orShould()
                .callConstructor(java.util.Random.class)
                .orShould()
                .callMethod(Math.class, "random")
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(java.util.concurrent.ThreadLocalRandom.class)
                .check(house);
    }

    @Test
    void onlyEgressOpensConnections() {
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.egress..")
                .and()
                // Reads the address a listener binds to; literals only.
                .doNotHaveFullyQualifiedName("im.parley.http.internal.Settings")
                .should()
                .callMethod(java.nio.channels.SocketChannel.class, "open")
                .orShould()
                .callMethod(java.nio.channels.SocketChannel.class, "connect", java.net.SocketAddress.class)
                .orShould()
                .callConstructor(java.net.Socket.class)
                .orShould()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.net.http.HttpClient")
                .orShould()
                .callMethod(java.net.URL.class, "openConnection")
                .orShould()
                .callMethod(java.net.URL.class, "openStream")
                .orShould()
                .callMethod(java.net.InetAddress.class, "getAllByName", String.class)
                .orShould()
                .callMethod(java.net.InetAddress.class, "getByName", String.class)
                .because("every outbound connection and every name look-up goes through the egress")
                // The control socket is a Unix domain socket: it cannot leave the machine.
                .check(house.that(describe(
                        "not the local control socket",
                        c -> !c.getPackageName().startsWith("im.parley.cli")
                                && !c.getPackageName().startsWith("im.parley.launcher"))));
    }

    @Test
    void onlyHttpListens() {
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.http..")
                .should()
                .callConstructor(java.net.ServerSocket.class)
                .orShould()
                .dependOnClassesThat()
                .resideInAPackage("org.eclipse.jetty.server..")
                .check(house);
    }

    @Test
    void noDangerousDoors() {
        noClasses()
                .should()
                .callMethod(java.security.Security.class, "addProvider", java.security.Provider.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(java.io.ObjectInputStream.class)
                .orShould()
                .callMethod(Runtime.class, "exec", String.class)
                .check(house);
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.cli..")
                .should()
                .callMethod(System.class, "exit", int.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(ProcessBuilder.class)
                .check(house.that(describe(
                        "not the daemon's main class", c -> !c.getFullName().equals("im.parley.launcher.Main"))));
    }

    @Test
    void noActivatorsAndNoFrameworkOutsideTheHost() {
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.launcher..")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("org.osgi.framework.BundleActivator")
                .check(house);
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.slot..", "im.parley.launcher..")
                .and()
                // Stopping the node and saying whether it is ready are about the framework itself.
                .doNotHaveFullyQualifiedName("im.parley.control.methods.NodeMethods")
                .and()
                .doNotHaveFullyQualifiedName("im.parley.control.Readiness")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.osgi.framework..")
                .check(house);
    }

    @Test
    void constantTimeWhereSecretsAreCompared() {
        noClasses()
                .that()
                .resideInAnyPackage("im.parley.cipher..", "im.parley.vault..", "im.parley.envelope..")
                .should()
                .callMethod(java.util.Arrays.class, "equals", byte[].class, byte[].class)
                .orShould()
                .callMethod(java.util.Arrays.class, "equals", char[].class, char[].class)
                .check(house.that(describe(
                        "not the record key, which is no secret",
                        c -> !c.getFullName().startsWith("im.parley.vault.RecordKey"))));
    }

    @Test
    void textBecomesBytesWithACharset() {
        noClasses().should().callMethod(String.class, "getBytes").check(house);
    }

    @Test
    void staticStateIsConstant() {
        fields().that()
                .areStatic()
                .should(new ArchCondition<>("be final") {
                    @Override
                    public void check(JavaField field, ConditionEvents events) {
                        boolean ok = field.getModifiers().contains(JavaModifier.FINAL)
                                || field.getModifiers().contains(JavaModifier.SYNTHETIC)
                                || field.getName().startsWith("$");
                        if (!ok) {
                            events.add(SimpleConditionEvent.violated(
                                    field, field.getFullName() + " is static and not final"));
                        }
                        if (isMutable(field.getRawType())) {
                            events.add(
                                    SimpleConditionEvent.violated(field, field.getFullName() + " holds static state"));
                        }
                    }
                })
                .check(house);
    }

    private static boolean isMutable(JavaClass type) {
        return type.getName().contains("Concurrent")
                || type.getName().contains(".atomic.")
                || type.isAssignableTo(ThreadLocal.class);
    }
}
