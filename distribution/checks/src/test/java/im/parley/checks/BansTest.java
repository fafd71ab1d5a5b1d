package im.parley.checks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaConstructorCall;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What no class of ours may do: laws 5 to 7 of the architecture, and the bans that past attacks taught. A ban names a
 * member in all its overloads, and each is shown to work on {@link Forbidden}, which does everything that is banned.
 */
class BansTest {
    /** Owner to member names; {@code name(types)} bans one overload; an empty set bans the whole class. */
    private static final Map<String, Set<String>> TIME = Map.of(
            "java.lang.System", Set.of("currentTimeMillis"),
            "java.time.Instant", Set.of("now"),
            "java.time.LocalDateTime", Set.of("now"),
            "java.time.LocalDate", Set.of("now"),
            "java.time.ZonedDateTime", Set.of("now"),
            "java.time.OffsetDateTime", Set.of("now"),
            "java.time.Clock", Set.of("systemUTC", "systemDefaultZone", "system", "tickMillis", "tickSeconds"),
            "java.time.InstantSource", Set.of("system"),
            "java.util.Date", Set.of("<init>"));

    private static final Map<String, Set<String>> RANDOM = Map.of(
            "java.security.SecureRandom", Set.of("<init>", "getInstance", "getInstanceStrong"),
            "java.util.Random", Set.of("<init>"),
            "java.util.SplittableRandom", Set.of("<init>"),
            "java.util.random.RandomGenerator", Set.of("of", "getDefault"),
            "java.util.concurrent.ThreadLocalRandom", Set.of(),
            "java.lang.Math", Set.of("random"),
            "java.util.UUID", Set.of("randomUUID"));

    private static final Map<String, Set<String>> NETWORK = Map.ofEntries(
            Map.entry("java.net.Socket", Set.of("<init>")),
            Map.entry("java.net.DatagramSocket", Set.of("<init>")),
            Map.entry("java.net.MulticastSocket", Set.of("<init>")),
            Map.entry("java.nio.channels.SocketChannel", Set.of("open", "connect")),
            Map.entry("java.nio.channels.DatagramChannel", Set.of("open", "connect")),
            Map.entry("java.nio.channels.AsynchronousSocketChannel", Set.of("open", "connect")),
            Map.entry("javax.net.SocketFactory", Set.of("createSocket")),
            Map.entry("javax.net.ssl.SSLSocketFactory", Set.of("createSocket")),
            Map.entry("java.net.URL", Set.of("openConnection", "openStream", "getContent")),
            Map.entry("java.net.http.HttpClient", Set.of()),
            Map.entry("java.net.InetAddress", Set.of("getByName", "getAllByName")),
            Map.entry("java.net.InetSocketAddress", Set.of("<init>(java.lang.String,int)")));

    private static final Map<String, Set<String>> LISTEN = Map.of(
            "java.net.ServerSocket", Set.of("<init>"),
            "java.nio.channels.ServerSocketChannel", Set.of("open", "bind"),
            "java.nio.channels.AsynchronousServerSocketChannel", Set.of("open", "bind"),
            "javax.net.ServerSocketFactory", Set.of("createServerSocket"));

    private static final Map<String, Set<String>> DOORS = Map.of(
            "java.security.Security", Set.of("addProvider", "insertProviderAt", "setProperty"),
            "java.io.ObjectInputStream", Set.of("<init>"),
            "java.lang.Runtime", Set.of("exec", "halt"));

    private static final Map<String, Set<String>> PROCESSES = Map.of(
            "java.lang.ProcessBuilder", Set.of("<init>"),
            "java.lang.System", Set.of("exit"));

    private static JavaClasses house;
    private static JavaClasses forbidden;

    @BeforeAll
    static void read() {
        house = House.classes();
        forbidden = new ClassFileImporter().importClasses(Forbidden.class);
    }

    @Test
    void timeIsHandedIn() {
        noneTouches(TIME, Set.of("im.parley.slot.internal.SystemClock"), "im.parley.launcher", "im.parley.cli");
    }

    @Test
    void randomnessIsHandedIn() {
        noneTouches(RANDOM, Set.of("im.parley.slot.internal.SystemRandom"));
    }

    @Test
    void onlyEgressOpensConnectionsAndResolvesNames() {
        noneTouches(
                NETWORK,
                // Reads the literal that a listener binds to.
                // Wraps TLS around a socket that the egress has connected.
                Set.of("im.parley.http.internal.Settings", "im.parley.fileserver.blossom.Tls"),
                "im.parley.egress",
                // Their sockets are Unix domain sockets, which cannot leave the machine.
                "im.parley.cli");
    }

    @Test
    void onlyHttpListensOnTheNetwork() {
        noneTouches(
                LISTEN,
                // A Unix domain socket.
                Set.of("im.parley.control.ControlServer"),
                "im.parley.http");
        noClasses()
                .that()
                .resideOutsideOfPackages("im.parley.http..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.eclipse.jetty.server..")
                .check(house);
    }

    @Test
    void noDangerousDoors() {
        noneTouches(DOORS, Set.of());
        noneTouches(PROCESSES, Set.of("im.parley.launcher.Main"), "im.parley.cli");
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
    void noActivatorsAndNoFrameworkOutsideTheHost() {
        noClasses()
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
    void secretsAreComparedInConstantTime() {
        noClasses()
                .that()
                .resideInAnyPackage("im.parley.cipher..", "im.parley.vault..", "im.parley.envelope..")
                .and()
                // No secret: where a record lies.
                .doNotHaveFullyQualifiedName("im.parley.vault.RecordKey")
                .should()
                .callMethod(java.util.Arrays.class, "equals", byte[].class, byte[].class)
                .orShould()
                .callMethod(java.util.Arrays.class, "equals", char[].class, char[].class)
                .check(house);
    }

    @Test
    void textBecomesBytesWithACharset() {
        noClasses().should().callMethod(String.class, "getBytes").check(house);
    }

    @Test
    void nothingStaticChanges() {
        ArchRule rule = classes().should(new ArchCondition<>("keep no static state") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                type.getFields().stream()
                        .filter(field -> field.getModifiers().contains(JavaModifier.STATIC))
                        .filter(field -> !field.getModifiers().contains(JavaModifier.SYNTHETIC))
                        .filter(field ->
                                !field.getModifiers().contains(JavaModifier.FINAL) || isMutable(field.getRawType()))
                        .forEach(field -> events.add(SimpleConditionEvent.violated(
                                field, field.getFullName() + " is static and can change")));
                type.getStaticInitializer().ifPresent(initialiser -> {
                    for (JavaConstructorCall call : initialiser.getConstructorCallsFromSelf()) {
                        if (isMutable(call.getTargetOwner())) {
                            events.add(SimpleConditionEvent.violated(call, call.getDescription()));
                        }
                    }
                });
            }
        });
        rule.check(house);
        assertEquals(3, rule.evaluate(forbidden).getFailureReport().getDetails().size());
    }

    private static boolean isMutable(JavaClass type) {
        String name = type.getName();
        return name.startsWith("java.util.concurrent.")
                        && !name.equals("java.util.concurrent.TimeUnit")
                        && !type.isEnum()
                || type.isAssignableTo(ThreadLocal.class)
                || type.isAssignableTo(java.util.AbstractCollection.class)
                || type.isAssignableTo(java.util.AbstractMap.class);
    }

    /** Checks the house, and that the same rule catches every member on the list in {@link Forbidden}. */
    private static void noneTouches(
            Map<String, Set<String>> banned, Set<String> exceptClasses, String... exceptPackages) {
        DescribedPredicate<JavaClass> ruled = describe(
                "not one of the places made for it",
                type -> !exceptClasses.contains(outermost(type))
                        && Set.of(exceptPackages).stream()
                                .noneMatch(p -> type.getPackageName().equals(p)
                                        || type.getPackageName().startsWith(p + ".")));
        ArchRule rule = noClasses().that(ruled).should().accessTargetWhere(touches(banned));
        rule.check(house);

        String caught =
                String.join("\n", rule.evaluate(forbidden).getFailureReport().getDetails());
        Set<String> missed = banned.keySet().stream()
                .filter(owner -> !caught.contains(owner))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(Set.of(), missed, "the ban does not catch these in Forbidden");
    }

    private static String outermost(JavaClass type) {
        String name = type.getName();
        int nested = name.indexOf('$');
        return nested < 0 ? name : name.substring(0, nested);
    }

    private static DescribedPredicate<JavaAccess<?>> touches(Map<String, Set<String>> banned) {
        return describe("a banned member", access -> {
            Set<String> members = banned.get(access.getTargetOwner().getName());
            if (members == null) {
                return false;
            }
            String name = access.getTarget().getName();
            String signature = access.getTarget() instanceof AccessTarget.CodeUnitAccessTarget target
                    ? name
                            + target.getRawParameterTypes().stream()
                                    .map(JavaClass::getName)
                                    .collect(Collectors.joining(",", "(", ")"))
                    : name;
            return members.isEmpty() || members.contains(name) || members.contains(signature);
        });
    }
}
