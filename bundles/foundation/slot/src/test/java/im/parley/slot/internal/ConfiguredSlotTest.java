package im.parley.slot.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.api.scheme.Step;
import im.parley.slot.EgressSource;
import im.parley.slot.Lease;
import im.parley.slot.SecretsSource;
import im.parley.slot.SwapReport;
import im.parley.testkit.Await;
import im.parley.testkit.SeededRandom;
import im.parley.testkit.SettableClock;
import java.lang.annotation.Annotation;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.ComponentServiceObjects;

class ConfiguredSlotTest {
    @TempDir
    Path data = Path.of("unset");

    private final SettableClock clock = new SettableClock(Instant.parse("2026-11-22T10:00:00Z"));
    private static final Moment MOMENT = new Moment(1, new byte[32]);

    private final SecretsSource noSecrets = instance -> new NoSecrets();
    private boolean testing;

    @SuppressWarnings("NullAway.Init") // With each slot.
    private SlotHost host;

    @Test
    void theFirstOfTheCurvesThatOpensFillsTheSlotAndTheOthersStayClosed() throws Exception {
        ConfiguredSlot slot = slot("curve", "native~main", "java~main");
        Fake second = new Fake("java~main");
        Fake first = new Fake("native~main");
        second.bindTo(slot);
        first.bindTo(slot);
        try (Lease<Object> lease = slot.acquire()) {
            assertEquals("native~main", lease.instance());
        }
        assertEquals(0, second.opened, "a candidate that is not selected is never opened");

        ConfiguredSlot other = slot("curve", "native~main", "java~main");
        Fake broken = new Fake("native~main");
        broken.failure = new ProviderException(Kind.UNAVAILABLE, "curve.no-native", "no library here");
        broken.bindTo(other);
        new Fake("java~main").bindTo(other);
        try (Lease<Object> lease = other.acquire()) {
            assertEquals("java~main", lease.instance());
        }
        assertEquals(broken.got, broken.given, "a provider that failed to open is given back");
    }

    @Test
    void onlyTheSelectedInstanceFillsAnyOtherSlot() {
        ConfiguredSlot slot = slot("storage.events", "derby~main");
        new Fake("memory~main").bindTo(slot);
        assertEquals(
                "slot.empty",
                assertThrows(ProviderException.class, slot::acquire).code());
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> slot("storage.events", "derby~main", "memory~main"));
        assertTrue(String.valueOf(refused.getMessage()).contains("storage.events"));
    }

    @Test
    void aFailureIsRememberedForASecondAndThenTriedAgain() throws Exception {
        ConfiguredSlot slot = slot("scheme", "nip17~main");
        Fake fake = new Fake("nip17~main");
        fake.failure = new ProviderException(Kind.EXHAUSTED, "storage.full", "no room");
        fake.bindTo(slot);
        ProviderException first = assertThrows(ProviderException.class, slot::acquire);
        ProviderException again = assertThrows(ProviderException.class, slot::acquire);
        assertEquals("storage.full", first.code());
        assertEquals(Kind.EXHAUSTED, again.kind());
        assertEquals(1, fake.opened, "not opened again within the second");
        fake.failure = null;
        clock.advance(Duration.ofSeconds(2));
        slot.acquire().close();
        assertTrue(slot.status().filled());
    }

    @Test
    void aLeavingProviderIsClosedGivenBackAndLosesWhatItWasHanded() throws Exception {
        ConfiguredSlot slot = slot("identity", "local~main");
        Fake fake = new Fake("local~main");
        fake.bindTo(slot);
        slot.acquire().close();
        ProviderContext context = fake.context();
        assertEquals(List.of(), context.secrets().names());
        // A bundle that is going away may not find its own classes while it closes.
        fake.closeFailure = new NoClassDefFoundError("gone");
        fake.unbindFrom(slot);
        assertEquals(1, fake.closed);
        assertEquals(fake.got, fake.given);
        assertEquals(
                "slot.closed",
                assertThrows(ProviderException.class, () -> context.secrets().names())
                        .code());
        assertEquals(
                "slot.closed",
                assertThrows(
                                ProviderException.class,
                                () -> context.egress(Scope.DEFAULT)
                                        .connect("relay.example", 443, "relay", Duration.ofSeconds(1)))
                        .code());
        assertThrows(RejectedExecutionException.class, () -> context.executor().execute(() -> {}));
        assertEquals(
                "slot.empty",
                assertThrows(ProviderException.class, slot::acquire).code());
        assertFalse(slot.status().filled());
    }

    @Test
    void lockCallbacksFollowTheVaultAndEndWithTheProvider() throws Exception {
        Vaults first = new Vaults();
        Vaults second = new Vaults();
        ConfiguredSlot slot = slot("identity", "local~main");
        host.unbindSecrets(noSecrets);
        host.bindSecrets(first);
        Fake fake = new Fake("local~main");
        fake.bindTo(slot);
        slot.acquire().close();
        int[] dropped = {0};
        AutoCloseable kept = fake.context().secrets().onLock(() -> dropped[0]++);
        AutoCloseable ended = fake.context().secrets().onLock(() -> dropped[0] += 100);
        ended.close();
        first.lock();
        assertEquals(1, dropped[0]);
        host.unbindSecrets(first);
        assertEquals(2, dropped[0], "a vault that leaves will not tell of its locks");
        host.bindSecrets(second);
        first.lock();
        assertEquals(2, dropped[0]);
        second.lock();
        assertEquals(3, dropped[0]);
        fake.unbindFrom(slot);
        second.lock();
        assertEquals(3, dropped[0]);
        assertEquals(0, first.callbacks.size() + second.callbacks.size(), "nobody is kept");
        kept.close();
    }

    /** A vault as the host sees it. */
    private static final class Vaults implements SecretsSource {
        private final List<Runnable> callbacks = new ArrayList<>();

        void lock() {
            List.copyOf(callbacks).forEach(Runnable::run);
        }

        @Override
        public Secrets secretsFor(String instance) {
            return new NoSecrets() {
                @Override
                public AutoCloseable onLock(Runnable callback) {
                    callbacks.add(callback);
                    return () -> callbacks.remove(callback);
                }
            };
        }
    }

    @Test
    void aProviderThatOpensNothingIsABugOfItsOwn() {
        ConfiguredSlot slot = slot("identity", "local~main");
        Fake fake = new Fake("local~main");
        fake.opensNothing = true;
        fake.bindTo(slot);
        assertEquals(
                "slot.provider-bug",
                assertThrows(ProviderException.class, slot::acquire).code());
        assertEquals(fake.got, fake.given);
    }

    @Test
    void whatKeepsNothingIsRefusedOutsideTests() throws Exception {
        ConfiguredSlot slot = slot("storage.events", "memory~main");
        Fake fake = new Fake("memory~main");
        fake.testOnly = true;
        fake.bindTo(slot);
        assertEquals(
                "slot.test-only",
                assertThrows(ProviderException.class, slot::acquire).code());
        assertEquals(0, fake.opened);
        testing = true;
        ConfiguredSlot inTests = slot("storage.events", "memory~main");
        fake.bindTo(inTests);
        inTests.acquire().close();
    }

    @Test
    void aCauseOfThePluginsClassDoesNotCrossTheBorder() {
        ConfiguredSlot slot = slot("scheme", "nip17~main");
        Fake fake = new Fake("nip17~main");
        fake.failure = new ProviderException(
                Kind.CORRUPT, "store.tampered", "changed", new IllegalStateException("plugin's own"));
        fake.bindTo(slot);
        ProviderException seen = assertThrows(ProviderException.class, slot::acquire);
        assertSame(null, seen.getCause());
        assertEquals("changed", seen.getMessage());
    }

    @Test
    void aSwapServesWithoutAGapAndDrainsTheOldOne() throws Exception {
        ConfiguredSlot slot = stateless("scheme", "a~main");
        Fake first = new Fake("a~main");
        Fake second = new Fake("b~main");
        first.bindTo(slot);
        second.bindTo(slot);
        Lease<Object> underWay = slot.acquire();
        List<List<String>> written = new ArrayList<>();
        ExecutorService executor = Executors.newFixedThreadPool(3);
        try {
            AtomicBoolean over = new AtomicBoolean();
            AtomicInteger served = new AtomicInteger();
            List<Future<?>> users = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                users.add(executor.submit(() -> {
                    while (!over.get()) {
                        slot.acquire().close();
                        served.incrementAndGet();
                    }
                    return null;
                }));
            }
            Await.until("the slot is in use", () -> served.get() > 1_000);
            Future<ConfiguredSlot.Replaced> swap = executor.submit(() -> slot.replace("b~main", selection -> {
                written.add(selection);
                assertEquals(0, first.closed, "the old one serves while the new one is written down");
                return 7;
            }));
            Await.until("the old lease is asked to end", underWay::retiring);
            try (Lease<Object> fresh = slot.acquire()) {
                assertEquals("b~main", fresh.instance());
            }
            assertEquals(0, first.closed);
            underWay.close();
            ConfiguredSlot.Replaced done = swap.get();
            over.set(true);
            for (Future<?> user : users) {
                user.get();
            }
            assertEquals("a~main", done.from());
            assertEquals(0, done.ended().cut());
            assertTrue(done.ended().inFlight() >= 1);
            assertEquals(7, done.generation());
            assertEquals(List.of(List.of("b~main")), written);
            assertEquals(1, first.closed);
            assertEquals(first.got, first.given);
            assertEquals(List.of("a~main", "b~main"), slot.status().candidates());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void aSwapThatFailsBeforeTheSwitchChangesNothing() throws Exception {
        ConfiguredSlot slot = stateless("scheme", "a~main");
        Fake first = new Fake("a~main");
        Fake second = new Fake("b~main");
        first.bindTo(slot);
        second.bindTo(slot);
        slot.acquire().close();
        second.failure = new ProviderException(Kind.UNAVAILABLE, "scheme.broken", "not today");
        assertEquals("scheme.broken", refused(slot, "b~main", selection -> 1));
        second.failure = null;
        assertEquals("swap.not-written", refused(slot, "b~main", selection -> {
            throw new ProviderException(Kind.UNAVAILABLE, "swap.not-written", "no room");
        }));
        assertEquals(second.got, second.given);
        assertEquals("swap.same", refused(slot, "a~main", selection -> 1));
        assertEquals("swap.unknown-instance", refused(slot, "c~main", selection -> 1));
        assertEquals("a~main", slot.status().instance());
        assertEquals(0, first.closed);

        ConfiguredSlot store = slot("storage.records", "a~main");
        first.bindTo(store);
        second.bindTo(store);
        assertEquals("swap.no-handover", refused(store, "b~main", selection -> 1));
    }

    @Test
    void aNewVersionTakesOverTheDirectoryWhileUsersWait() throws Exception {
        ConfiguredSlot slot = slot("storage.records", "a~main");
        Fake old = new Fake("a~main");
        Fake upgraded = new Fake("a~main-2");
        upgraded.directory = "a~main";
        old.bindTo(slot);
        upgraded.bindTo(slot);
        Fake stranger = new Fake("b~main");
        stranger.directory = "a~main";
        stranger.bindTo(slot);
        Lease<Object> underWay = slot.acquire();
        ExecutorService executor = Executors.newFixedThreadPool(2);
        try {
            Future<ConfiguredSlot.Replaced> swap = executor.submit(() -> slot.replace("a~main-2", selection -> {
                assertEquals(1, old.closed, "two never have the directory open");
                return 9;
            }));
            Await.until("the old lease is asked to end", underWay::retiring);
            assertTrue(slot.status().problem().startsWith("slot.taking-over"));
            Future<String> waiting = executor.submit(() -> {
                try (Lease<Object> lease = slot.acquire()) {
                    return lease.instance();
                }
            });
            assertEquals(0, upgraded.opened);
            assertFalse(waiting.isDone());
            underWay.close();
            assertEquals("a~main-2", waiting.get());
            ConfiguredSlot.Replaced done = swap.get();
            assertEquals(9, done.generation());
            assertEquals(0, done.ended().cut());
            assertEquals(upgraded.context().dataDir(), old.context().dataDir());
        } finally {
            executor.shutdownNow();
        }
        // Another component is not given that directory, and has no way to what is kept.
        assertEquals("swap.no-handover", refused(slot, "b~main", selection -> 1));
        upgraded.failure = null;
        old.failure = new ProviderException(Kind.UNSUPPORTED, "store.too-new", "a newer version wrote it");
        assertEquals("store.too-new", refused(slot, "a~main", selection -> 1));
        try (Lease<Object> lease = slot.acquire()) {
            assertEquals("a~main-2", lease.instance(), "the one before is opened again");
        }
        old.failure = null;
        assertEquals("swap.not-written", refused(slot, "a~main", selection -> {
            throw new ProviderException(Kind.UNAVAILABLE, "swap.not-written", "no room");
        }));
        try (Lease<Object> lease = slot.acquire()) {
            assertEquals("a~main-2", lease.instance());
        }
        slot.replace("a~main", selection -> 10);
        assertEquals("a~main", slot.status().instance());
        assertEquals(3, upgraded.closed);
    }

    private static String refused(ConfiguredSlot slot, String instance, ConfiguredSlot.Write write) {
        return assertThrows(ProviderException.class, () -> slot.replace(instance, write))
                .code();
    }

    @Test
    void undoTakesTheNewestSwapBackAndOnlyOnce() throws Exception {
        ConfiguredSlot slot = stateless("curve", "a~main", "b~main");
        new Fake("a~main").bindTo(slot);
        new Fake("b~main").bindTo(slot);
        new Fake("c~main").bindTo(slot);
        slot.acquire().close();
        Kept kept = new Kept();
        SwapDesk desk = new SwapDesk(host, kept);
        assertEquals(0, desk.generation());
        SwapReport report = desk.swap("curve", "c~main", "operator", "trial");
        assertEquals(1, desk.generation());
        assertEquals("a~main", report.from());
        assertEquals(1, report.generation());
        assertTrue(report.words().contains("a~main gave way to c~main"), report.words());
        assertEquals(
                List.of("c~main", "a~main", "b~main"), kept.selections.get(0).select());
        desk.swap("curve", "b~main", "operator", "");
        assertEquals("c~main", desk.undo("operator", "").to());
        assertEquals(2, kept.selections.get(2).undoes());
        assertEquals("a~main", desk.undo("operator", "").to());
        assertEquals(
                "swap.nothing-to-undo",
                assertThrows(ProviderException.class, () -> desk.undo("operator", ""))
                        .code());
        kept.partOfAct = true;
        assertFalse(
                desk.swap("curve", "c~main", "operator", "upgrade").words().contains("undo"),
                "only the act as a whole");
        kept.partOfAct = false;
        kept.open = new Stack.Undoable("curve", "b~main", "a~main", 9);
        assertEquals("b~main", desk.undo("operator", "after a restart").to());
        assertEquals(9, kept.selections.get(5).undoes());
        assertEquals(
                "swap.unknown-slot",
                assertThrows(ProviderException.class, () -> desk.swap("nothing", "a~main", "operator", ""))
                        .code());
        assertEquals(
                "swap.no-window",
                assertThrows(ProviderException.class, () -> desk.cancel("curve"))
                        .code());
        desk.deactivate();
    }

    @Test
    void threeFaultsInAMinuteBringThePreviousInstanceBack() throws Exception {
        ConfiguredSlot slot = stateless("scheme", "a~main");
        Fake good = new Fake("a~main");
        Fake bad = new Fake("b~main");
        good.scheme = true;
        bad.scheme = true;
        bad.stepFailure = new NoClassDefFoundError("half of it is missing");
        good.bindTo(slot);
        bad.bindTo(slot);
        SwapDesk desk = new SwapDesk(host, new Kept());
        slot.acquire().close();
        desk.swap("scheme", "b~main", "operator", "upgrade");
        fail(slot);
        fail(slot);
        clock.advance(Duration.ofSeconds(61));
        fail(slot);
        fail(slot);
        assertEquals("b~main", slot.status().instance(), "two and two, not three in a minute");
        fail(slot);
        Await.until("the previous one is back", () -> slot.status().instance().equals("a~main"));
        Await.until("health says so", () -> slot.status().problem().startsWith("slot.quarantined"));
        try (Lease<Object> lease = slot.acquire()) {
            ((EncryptionScheme) lease.get()).step(new byte[0], new Input.Tick(MOMENT));
        }
        desk.deactivate();
    }

    private static void fail(ConfiguredSlot slot) throws ProviderException {
        try (Lease<Object> lease = slot.acquire()) {
            EncryptionScheme scheme = (EncryptionScheme) lease.get();
            Throwable seen = assertThrows(Throwable.class, () -> scheme.step(new byte[0], new Input.Tick(MOMENT)));
            assertTrue(
                    seen instanceof IllegalStateException || seen instanceof ProviderException,
                    "nothing of the plugin crosses: " + seen);
            assertSame(null, seen.getCause());
        }
    }

    /** A stack that keeps everything in memory. */
    private static final class Kept implements Stack {
        private final List<Selection> selections = new ArrayList<>();
        private final List<Long> done = new ArrayList<>();
        private @Nullable Undoable open;
        private boolean partOfAct;

        @Override
        public Selected select(Selection selection) {
            selections.add(selection);
            return new Selected(selections.size(), partOfAct ? 0 : selections.size(), partOfAct);
        }

        @Override
        public void done(long entry, SwapReport report) {
            done.add(entry);
        }

        @Override
        public @Nullable Undoable undoable() {
            return open;
        }
    }

    private ConfiguredSlot stateless(String name, String... select) {
        slot(name, select);
        return new ConfiguredSlot(
                host,
                config(ConfiguredSlot.Config.class, Map.of("parley_slot", name, "select", select, "handover", "none")));
    }

    private ConfiguredSlot slot(String name, String... select) {
        host = new SlotHost(
                clock,
                new SeededRandom(1),
                config(SlotHost.Config.class, Map.of("dataDir", data.toString(), "threads", 2, "testing", testing)));
        EgressSource egress = (scope, instance, hosts) -> (target, port, reason, timeout) -> {
            throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "nothing listens");
        };
        host.bindSecrets(noSecrets);
        host.bindEgress(egress);
        return new ConfiguredSlot(
                host, config(ConfiguredSlot.Config.class, Map.of("parley_slot", name, "select", select)));
    }

    /** A configuration as Declarative Services makes it: an instance of the annotation type. */
    private static <A extends Annotation> A config(Class<A> type, Map<String, ?> values) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> values.get(method.getName())));
    }

    /** A provider instance with its service reference, as Declarative Services would bind it. */
    private static final class Fake implements Provider<Object>, ComponentServiceObjects<Provider<?>> {
        private final String instance;
        private final ServiceReference<Provider<?>> reference;
        private @Nullable ProviderException failure;
        private @Nullable Error closeFailure;
        private boolean testOnly;
        private String directory = "";
        private boolean opensNothing;
        private boolean scheme;
        private @Nullable Error stepFailure;
        private int opened;
        private int closed;
        private int got;
        private int given;
        private final List<ProviderContext> contexts = new ArrayList<>();

        @SuppressWarnings("unchecked")
        Fake(String instance) {
            this.instance = instance;
            this.reference = (ServiceReference<Provider<?>>) Proxy.newProxyInstance(
                    Fake.class.getClassLoader(),
                    new Class<?>[] {ServiceReference.class},
                    (proxy, method, arguments) -> switch (method.getName()) {
                        case "equals" -> proxy == arguments[0];
                        case "hashCode" -> System.identityHashCode(proxy);
                        case "getBundle" -> null;
                        default -> throw new UnsupportedOperationException(method.getName());
                    });
        }

        void bindTo(ConfiguredSlot slot) {
            slot.bindProvider(reference, this, properties(slot));
        }

        void unbindFrom(ConfiguredSlot slot) {
            slot.unbindProvider(reference, this, properties(slot));
        }

        private Map<String, ?> properties(ConfiguredSlot slot) {
            Map<String, Object> properties = new java.util.HashMap<>(
                    Map.of(Provider.SLOT, slot.name(), "service.pid", instance, Provider.TEST_ONLY, testOnly));
            if (!directory.isEmpty()) {
                properties.put("parley.directory", directory);
            }
            return properties;
        }

        ProviderContext context() {
            return contexts.get(0);
        }

        @Override
        @SuppressWarnings("NullAway") // What a plugin must not do.
        public Object open(ProviderContext context) throws ProviderException {
            opened++;
            contexts.add(context);
            if (failure != null) {
                throw failure;
            }
            if (opensNothing) {
                return null;
            }
            if (scheme) {
                return new Scheme();
            }
            return (AutoCloseable) () -> {
                closed++;
                if (closeFailure != null) {
                    throw closeFailure;
                }
            };
        }

        /** A pure function that fails as it is told. */
        private final class Scheme implements EncryptionScheme {
            @Override
            public String schemeId() {
                return "test";
            }

            @Override
            public String suiteId() {
                return "1";
            }

            @Override
            public int stateVersion() {
                return 1;
            }

            @Override
            public Set<Integer> rumorKinds() {
                return Set.of(14);
            }

            @Override
            public Step step(byte[] state, Input input) {
                if (stepFailure != null) {
                    throw stepFailure;
                }
                return new Step(state, List.of());
            }
        }

        @Override
        public Provider<?> getService() {
            got++;
            return this;
        }

        @Override
        public void ungetService(Provider<?> service) {
            assertNotNull(service);
            given++;
        }

        @Override
        public ServiceReference<Provider<?>> getServiceReference() {
            return reference;
        }
    }

    private static class NoSecrets implements Secrets {
        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public boolean locked(String name) {
            return false;
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            throw new ProviderException(Kind.REJECTED, "secret.missing", "none");
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) {}

        @Override
        public void unlock(String name, char[] passphrase) {}

        @Override
        public void delete(String name) {}

        @Override
        public AutoCloseable onLock(Runnable callback) {
            return () -> {};
        }
    }
}
