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
import im.parley.slot.EgressSource;
import im.parley.slot.Lease;
import im.parley.slot.SecretsSource;
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
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.ComponentServiceObjects;

class ConfiguredSlotTest {
    @TempDir
    Path data = Path.of("unset");

    private final SettableClock clock = new SettableClock(Instant.parse("2026-11-22T10:00:00Z"));
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

    private ConfiguredSlot slot(String name, String... select) {
        host = new SlotHost(
                clock,
                new SeededRandom(1),
                config(SlotHost.Config.class, Map.of("dataDir", data.toString(), "threads", 2, "testing", testing)));
        EgressSource egress = (scope, instance) -> (target, port, reason, timeout) -> {
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
        private boolean opensNothing;
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
            return Map.of(Provider.SLOT, slot.name(), "service.pid", instance, Provider.TEST_ONLY, testOnly);
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
            return (AutoCloseable) () -> {
                closed++;
                if (closeFailure != null) {
                    throw closeFailure;
                }
            };
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
