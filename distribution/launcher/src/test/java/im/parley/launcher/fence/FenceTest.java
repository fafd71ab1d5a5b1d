package im.parley.launcher.fence;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Await;
import im.parley.testkit.SourceBundle;
import java.io.ByteArrayInputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import javax.management.ObjectName;
import org.apache.felix.framework.FrameworkFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.AllServiceListener;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceEvent;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceListener;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.hooks.service.FindHook;
import org.osgi.framework.launch.Framework;
import org.osgi.util.tracker.ServiceTracker;

/** The fence in a real framework: one bundle of the platform, plugins around it. */
@Timeout(60)
class FenceTest {
    private static final String TRACKER = "org.apache.felix.scr.impl.helper.ConfigAdminTracker";
    private static final String REFERENCES = "org.apache.felix.scr.impl.manager.DependencyManager";
    private static final String CONFIGURATION_ADMIN = "org.osgi.service.cm.ConfigurationAdmin";
    private static final String VAULT = "im.parley.vault.Vault";
    private static final String ENDPOINT = "im.parley.api.transport.RelayEndpoint";
    private static final String LOG_SERVICE = "org.osgi.service.log.LogService";
    private static final Duration PATIENCE = Duration.ofSeconds(1);

    @TempDir
    private Path temp;

    private Framework framework;
    private Fence fence;
    private Bundle core;
    private Bundle declarative;
    private final List<String> audited = Collections.synchronizedList(new ArrayList<>());
    private int jars;

    @BeforeEach
    void raise() throws Exception {
        Map<String, Object> properties = new HashMap<>();
        properties.put(Constants.FRAMEWORK_STORAGE, temp.resolve("cache").toString());
        properties.put(Constants.FRAMEWORK_BSNVERSION, Constants.FRAMEWORK_BSNVERSION_MULTIPLE);
        properties.put(
                Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, "org.slf4j;version=2.0.17,org.osgi.service.log;version=1.5");
        properties.put("felix.log.level", "1");
        framework = new FrameworkFactory().newFramework(properties);
        framework.init();
        String location = jar(SourceBundle.named("im.parley.core")
                .header("Export-Package", "im.parley.core,org.example.library")
                .source("im.parley.core.Core", "package im.parley.core; public class Core {}")
                .source("org.example.library.Shared", "package org.example.library; public class Shared {}"));
        String components = jar(SourceBundle.named("org.apache.felix.scr")
                .header("Import-Package", "org.osgi.framework")
                .source(TRACKER, lookup(TRACKER))
                .source(REFERENCES, lookup(REFERENCES)));
        fence = new Fence(
                Set.of(location, components),
                (act, what) -> audited.add(act + " " + what.get("bundle") + " " + what.get("what")),
                PATIENCE);
        fence.raise(system());
        core = system().installBundle(location);
        declarative = system().installBundle(components);
        framework.start();
        core.start();
        register(core, VAULT);
        register(core, ENDPOINT);
        register(core, LOG_SERVICE);
    }

    @AfterEach
    void down() throws Exception {
        framework.stop();
        framework.waitForStop(10_000);
    }

    private BundleContext system() {
        return framework.getBundleContext();
    }

    private String jar(SourceBundle bundle) throws Exception {
        return "file:" + bundle.write(temp.resolve("b" + ++jars + ".jar"));
    }

    private Bundle plugin(SourceBundle bundle) throws Exception {
        return system().installBundle(jar(bundle));
    }

    private Bundle started(SourceBundle bundle) throws Exception {
        Bundle plugin = plugin(bundle);
        assertEquals(List.of(Fence.Outcome.DONE), start(plugin));
        return plugin;
    }

    private List<Fence.Outcome> start(Bundle... plugins) throws InterruptedException {
        return fence.start(List.of(plugins)).stream()
                .map(Fence.Attempt::outcome)
                .toList();
    }

    private static SourceBundle withStart(String name, String body) {
        return SourceBundle.named(name)
                .header("Bundle-Activator", "x.Main")
                .header(
                        "Import-Package",
                        "org.osgi.framework,javax.management;resolution:=optional,java.lang.management;resolution:=optional")
                .source(
                        "x.Main",
                        "package x; import org.osgi.framework.*; public class Main implements BundleActivator {"
                                + " public void start(BundleContext context) throws Exception {" + body + "}"
                                + " public void stop(BundleContext context) {} }");
    }

    private static ServiceRegistration<?> register(Bundle owner, String type) {
        return register(owner, new Hashtable<>(), type);
    }

    /** A factory need not have the types that it is registered under, which spares the test a bundle for each. */
    private static ServiceRegistration<?> register(Bundle owner, Dictionary<String, ?> properties, String... types) {
        return owner.getBundleContext().registerService(types, new Nothing(), properties);
    }

    private static final class Nothing implements ServiceFactory<Object> {
        @Override
        public Object getService(Bundle bundle, ServiceRegistration<Object> registration) {
            return new Object();
        }

        @Override
        public void ungetService(Bundle bundle, ServiceRegistration<Object> registration, Object service) {}
    }

    private static Set<String> types(ServiceReference<?> @Nullable [] references) {
        Set<String> types = new TreeSet<>();
        if (references != null) {
            for (ServiceReference<?> each : references) {
                types.addAll(Arrays.asList((String[]) each.getProperty(Constants.OBJECTCLASS)));
            }
        }
        return types;
    }

    @Test
    void PL_06_noLookupShowsAServiceThatWasNotDeclaredAndGranted() throws Exception {
        Bundle plain = started(SourceBundle.named("x.plain"));
        Bundle greedy = started(SourceBundle.named("x.greedy").header(Rules.SERVICES, VAULT + ", " + ENDPOINT));

        for (Bundle plugin : List.of(plain, greedy)) {
            BundleContext context = plugin.getBundleContext();
            Set<String> expected = new TreeSet<>(Set.of(LOG_SERVICE));
            if (plugin == greedy) {
                expected.add(ENDPOINT);
            }
            register(plugin, "x.Own");
            expected.add("x.Own");
            assertNull(context.getServiceReference(VAULT), "getServiceReference");
            assertNull(context.getServiceReferences(VAULT, null), "getServiceReferences");
            assertEquals(plugin == greedy, context.getServiceReference(ENDPOINT) != null);
            assertEquals(expected, types(context.getAllServiceReferences(null, null)));
            assertEquals(expected, types(context.getServiceReferences((String) null, null)));
            ServiceTracker<Object, Object> tracker =
                    new ServiceTracker<>(context, context.createFilter("(objectClass=*)"), null) {
                        @Override
                        public Object addingService(ServiceReference<Object> reference) {
                            return reference;
                        }
                    };
            tracker.open(true);
            Set<String> heard = Collections.synchronizedSet(new HashSet<>());
            ServiceListener listener =
                    event -> heard.addAll(types(new ServiceReference<?>[] {event.getServiceReference()}));
            context.addServiceListener(listener);
            context.addServiceListener((AllServiceListener) listener::serviceChanged);
            ServiceRegistration<?> late = register(core, "im.parley.late.Late");
            ServiceRegistration<?> vault = register(core, VAULT);
            late.setProperties(new Hashtable<>(Map.of("changed", "yes")));
            vault.unregister();
            late.unregister();
            assertEquals(Set.of(), heard, "ServiceListener");
            assertEquals(expected, types(tracker.getServiceReferences()), "ServiceTracker");
            register(core, LOG_SERVICE).unregister();
            assertEquals(Set.of(LOG_SERVICE), heard, "the listener hears what it may");
            tracker.close();
        }
        assertNotNull(core.getBundleContext().getServiceReference(VAULT), "the platform sees its own");
    }

    /** Declarative Services looks for it with the context of each bundle that has components. */
    @Test
    void onlyDeclarativeServicesFindsConfigurationAdminForAPlugin() throws Exception {
        register(core, CONFIGURATION_ADMIN);
        Bundle plugin = started(SourceBundle.named("x.components")
                .header("Import-Package", "org.osgi.framework")
                .source("x.Own", lookup("x.Own"))
                .source(TRACKER, lookup(TRACKER)));
        assertTrue(sees(declarative, TRACKER, plugin));
        assertFalse(sees(declarative, REFERENCES, plugin), "what a component wants is not what the container wants");
        assertFalse(sees(plugin, "x.Own", plugin));
        assertFalse(sees(plugin, TRACKER, plugin), "of that name, but of the plugin");
        assertNull(plugin.getBundleContext().getServiceReference(CONFIGURATION_ADMIN));
    }

    private static String lookup(String type) {
        int dot = type.lastIndexOf('.');
        return "package " + type.substring(0, dot) + "; public class " + type.substring(dot + 1)
                + " { public static boolean sees("
                + "org.osgi.framework.BundleContext context) { return context.getServiceReference(\""
                + CONFIGURATION_ADMIN + "\") != null; } }";
    }

    private static boolean sees(Bundle asking, String type, Bundle plugin) throws Exception {
        return (boolean)
                asking.loadClass(type).getMethod("sees", BundleContext.class).invoke(null, plugin.getBundleContext());
    }

    @Test
    void pluginsSeeNeitherEachOthersServicesNorOtherBundles() throws Exception {
        Bundle one = started(SourceBundle.named("x.one"));
        Bundle two = started(SourceBundle.named("x.two").header(Rules.SERVICES, "x.Own"));
        register(one, "x.Own");
        assertNull(two.getBundleContext().getServiceReference("x.Own"));
        assertEquals(List.of(two), List.of(two.getBundleContext().getBundles()));
        assertNull(two.getBundleContext().getBundle(core.getBundleId()));
        assertNull(two.getBundleContext().getBundle(Constants.SYSTEM_BUNDLE_ID));
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        two.getBundleContext().addBundleListener((org.osgi.framework.SynchronousBundleListener)
                event -> heard.add(event.getBundle().getSymbolicName()));
        core.stop();
        core.start();
        one.stop();
        assertEquals(List.of(), heard);
    }

    @Test
    void PL_14_anImpostorWithTheHighestRankingIsSeenByNobody() throws Exception {
        Bundle impostor = started(SourceBundle.named("x.impostor"));
        List<ServiceEvent> heard = Collections.synchronizedList(new ArrayList<>());
        core.getBundleContext().addServiceListener(heard::add);
        Hashtable<String, Object> highest = new Hashtable<>(Map.of(Constants.SERVICE_RANKING, Integer.MAX_VALUE));
        register(core, "java.time.InstantSource");
        heard.clear();

        register(impostor, highest, VAULT);
        register(impostor, highest, "java.time.InstantSource");
        register(impostor, highest, Rules.PROVIDER, VAULT);
        register(impostor, highest, "x.Own");

        assertEquals(List.of(), heard, "an event told the platform of it");
        for (String type : List.of(VAULT, "java.time.InstantSource")) {
            assertEquals(core, core.getBundleContext().getServiceReference(type).getBundle());
            assertEquals(1, core.getBundleContext().getServiceReferences(type, null).length);
        }
        assertEquals(3, fence.counts().get("service.impostor"));
        assertTrue(
                audited.contains("service.impostor x.impostor registered " + VAULT + "; nobody sees it"),
                audited::toString);
        assertEquals(Bundle.ACTIVE, impostor.getState());
    }

    @Test
    void providersAreSeenUnderTheirOwnPidOnly() throws Exception {
        Bundle plugin = started(SourceBundle.named("org.example.curve"));
        Hashtable<String, Object> own =
                new Hashtable<>(Map.of("parley.slot", "curve", "service.pid", "org.example.curve~main"));
        register(plugin, own, Rules.PROVIDER);
        Hashtable<String, Object> part =
                new Hashtable<>(Map.of("parley.slot", "curve", "service.pid", "org.example.curve.fast~main"));
        register(plugin, part, Rules.PROVIDER);
        Hashtable<String, Object> foreign =
                new Hashtable<>(Map.of("parley.slot", "curve", "service.pid", "org.example.curves~main"));
        ServiceRegistration<?> other = register(plugin, foreign, Rules.PROVIDER);
        assertEquals(2, core.getBundleContext().getServiceReferences(Rules.PROVIDER, null).length);
        assertEquals(1, fence.counts().get("service.impostor"));
        own.put("service.pid", "im.parley.curve.secp256k1~main");
        other.setProperties(own);
        assertEquals(2, core.getBundleContext().getServiceReferences(Rules.PROVIDER, null).length);
        assertEquals(2, fence.counts().get("service.impostor"));
    }

    @Test
    void PL_15_hooksAreWithdrawnBeforeTheCallReturnsAndTheirBundleIsStopped() throws Exception {
        for (String type : List.of(
                "org.osgi.framework.hooks.weaving.WeavingHook",
                "org.osgi.framework.hooks.resolver.ResolverHookFactory",
                "org.osgi.framework.hooks.service.FindHook",
                "org.osgi.framework.hooks.bundle.CollisionHook",
                "org.osgi.service.url.URLStreamHandlerService",
                "org.osgi.service.cm.ConfigurationPlugin",
                "java.net.ContentHandler")) {
            Bundle plugin = started(SourceBundle.named("x.hook"));
            register(plugin, type);
            assertNull(system().getServiceReferences(type, "(service.bundleid=" + plugin.getBundleId() + ")"), type);
            Await.until(type + " has stopped its bundle", () -> plugin.getState() == Bundle.INSTALLED);
            assertThrows(BundleException.class, plugin::start, "it stays stopped");
            plugin.uninstall();
        }
        assertEquals(7, fence.counts().get("plugin.denied"));
    }

    /** Declarative Services does so for every component; see the runs of the real distribution. */
    @Test
    void managedServicesOfAPluginAreNotCalled() throws Exception {
        Bundle plugin = started(SourceBundle.named("x.managed"));
        register(core, "org.osgi.service.cm.ManagedService");
        register(
                plugin,
                new Hashtable<>(Map.of("service.pid", "im.parley.vault")),
                "org.osgi.service.cm.ManagedService");
        assertEquals(
                1, core.getBundleContext().getServiceReferences("org.osgi.service.cm.ManagedService", null).length);
        assertEquals(Map.of(), fence.counts());
        assertEquals(Bundle.ACTIVE, plugin.getState());
    }

    /** Through reflection, because the package of hooks cannot be imported: what hostile code would do. */
    @Test
    void PL_15_aHookOfAPluginThatNeverReturnsFromItsStartIsNotCalled() throws Exception {
        Bundle plugin = plugin(withStart("x.hidden", """
                Class<?> hook = BundleContext.class.getClassLoader()
                        .loadClass("org.osgi.framework.hooks.service.FindHook");
                Object blind = java.lang.reflect.Proxy.newProxyInstance(hook.getClassLoader(), new Class<?>[] {hook},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("find")) {
                                ((java.util.Collection<?>) arguments[4]).clear();
                            }
                            return method.getName().equals("hashCode") ? (Object) 1 : Boolean.FALSE;
                        });
                context.registerService(hook.getName(), blind, null);
                while (System.getProperty("fence.test.go") == null) {
                    Thread.onSpinWait();
                }
                """));
        try {
            assertEquals(List.of(Fence.Outcome.HANGS), start(plugin));
            assertNotNull(core.getBundleContext().getServiceReference(VAULT), "the hook blinds the platform");
            assertEquals(1, fence.counts().get("plugin.denied"));
        } finally {
            System.setProperty("fence.test.go", "yes");
            Await.until("it is stopped", () -> plugin.getState() == Bundle.INSTALLED);
            System.clearProperty("fence.test.go");
        }
    }

    @Test
    void PL_15_packagesOfHooksAndOfThePlatformCannotBeImported() throws Exception {
        for (String name : List.of(
                FindHook.class.getPackageName(),
                "org.osgi.framework.hooks.weaving",
                "org.osgi.service.url",
                "org.osgi.framework.launch",
                "im.parley.core")) {
            Bundle plugin = plugin(SourceBundle.named("x.importer").header("Import-Package", name));
            assertThrows(BundleException.class, plugin::start, name);
            plugin.uninstall();
        }
        started(SourceBundle.named("x.importer").header("Import-Package", "org.example.library, org.slf4j"));
        started(SourceBundle.named("im.parley.newer").header("Import-Package", "im.parley.core"));
        Bundle required = plugin(SourceBundle.named("x.requirer").header("Require-Bundle", "im.parley.core"));
        assertThrows(BundleException.class, required::start);
        Bundle dynamic = started(SourceBundle.named("x.dynamic").header("DynamicImport-Package", "*"));
        assertThrows(ClassNotFoundException.class, () -> dynamic.loadClass("im.parley.core.Core"));
        assertThrows(ClassNotFoundException.class, () -> dynamic.loadClass(FindHook.class.getName()));
        assertNotNull(dynamic.loadClass("org.example.library.Shared"));
    }

    @Test
    void fragmentsOfPluginsDoNotAttachToThePlatform() throws Exception {
        plugin(SourceBundle.named("x.fragment")
                .header("Fragment-Host", "im.parley.core")
                .source("x.Inside", "package x; public class Inside {}"));
        core.stop();
        framework.adapt(org.osgi.framework.wiring.FrameworkWiring.class).refreshBundles(List.of(core));
        Await.until("the platform's bundle is up again", () -> {
            if (core.getState() == Bundle.INSTALLED || core.getState() == Bundle.RESOLVED) {
                core.start();
            }
            return core.getState() == Bundle.ACTIVE;
        });
        assertThrows(ClassNotFoundException.class, () -> core.loadClass("x.Inside"));
    }

    @Test
    void thePlatformBindsToNothingOfAPlugin() throws Exception {
        started(SourceBundle.named("x.exporter")
                .header("Export-Package", "org.slf4j;version=99,org.example.extra")
                .source("org.example.extra.Extra", "package org.example.extra; public class Extra {}"));
        String location = jar(SourceBundle.named("im.parley.reader")
                .header("Import-Package", "org.example.extra;resolution:=optional,org.slf4j"));
        Fence both = new Fence(Set.of(core.getLocation(), location), (act, what) -> {}, PATIENCE);
        assertFalse(both.isPlugin(core));
        // A new fence in the same framework: hooks add up, so what the old one hides stays hidden as well.
        both.raise(system());
        Bundle reader = system().installBundle(location);
        reader.start();
        assertThrows(ClassNotFoundException.class, () -> reader.loadClass("org.example.extra.Extra"));
    }

    @Test
    void secondInstallAtRunTimeIsUndone() throws Exception {
        Path more = temp.resolve("more.jar");
        SourceBundle.named("x.second").write(more);
        Bundle installer = started(withStart("x.installer", ""));
        Bundle second = installer.getBundleContext().installBundle("file:" + more);
        assertEquals(Bundle.UNINSTALLED, second.getState());
        Bundle stream = installer
                .getBundleContext()
                .installBundle("anything", new ByteArrayInputStream(Files.readAllBytes(more)));
        assertEquals(Bundle.UNINSTALLED, stream.getState());
        assertThrows(
                BundleException.class,
                () -> installer.getBundleContext().installBundle(core.getLocation()),
                "not even what is there");
        assertEquals(2, fence.counts().get("plugin.denied"));
        assertTrue(audited.contains("plugin.denied x.installer installed x.second, which only the launcher may"));
        assertEquals(Bundle.INSTALLED, system().installBundle("file:" + more).getState(), "the launcher may");
    }

    /** The location of the framework itself is no secret, and no hook hides it. */
    @Test
    void secondInstallWithTheFrameworksOwnContextIsUndoneToo() throws Exception {
        Path more = temp.resolve("more.jar");
        SourceBundle.named("x.second").write(more);
        started(withStart("x.borrower", """
                BundleContext borrowed = context.getBundle("System Bundle").getBundleContext();
                borrowed.installBundle("file:%s");
                """.formatted(more)));
        assertFalse(Arrays.stream(system().getBundles())
                .anyMatch(bundle -> bundle.getSymbolicName().equals("x.second")));
        assertTrue(audited.contains("plugin.denied x.borrower installed x.second, which only the launcher may"));
    }

    @Test
    void aPluginThatPutsOtherCodeInItsOwnPlaceIsNotStartedAgain() throws Exception {
        Path other = temp.resolve("other.jar");
        SourceBundle.named("x.changer").header("Bundle-Version", "2").write(other);
        Bundle changer = started(SourceBundle.named("x.changer"));
        assertThrows(
                BundleException.class,
                () -> changer.update(new ByteArrayInputStream(Files.readAllBytes(other))),
                "the new content is not resolved");
        assertEquals(Bundle.INSTALLED, changer.getState());
        assertThrows(BundleException.class, changer::start);
        assertEquals(1, fence.counts().get("plugin.denied"));
    }

    @Test
    void PL_08_aPluginThatNeverReturnsFromItsStartIsGivenUpAndOthersRun() throws Exception {
        Bundle sleeper = plugin(withStart("x.sleeper", "Thread.sleep(1_000_000);"));
        Bundle looper = plugin(withStart(
                "x.looper", "while (System.getProperty(\"fence.test.go\") == null) { Thread.onSpinWait(); }"));
        Bundle thrower = plugin(withStart("x.thrower", "throw new IllegalStateException();"));
        Bundle good = plugin(withStart("x.good", ""));
        long began = System.nanoTime();
        assertEquals(
                List.of(Fence.Outcome.HANGS, Fence.Outcome.HANGS, Fence.Outcome.FAILED, Fence.Outcome.DONE),
                start(sleeper, looper, thrower, good));
        assertTrue(System.nanoTime() - began < 10_000_000_000L);
        assertEquals(Bundle.ACTIVE, good.getState());
        assertEquals(2, fence.counts().get("plugin.quarantined"));
        Await.until("the interrupt ended the sleeper", () -> sleeper.getState() == Bundle.INSTALLED);
        assertThrows(BundleException.class, sleeper::start, "it stays out");
        assertEquals(
                List.of(sleeper, good), fence.uninstall(List.of(sleeper, looper, good)), "nor does it keep others");
        System.setProperty("fence.test.go", "yes");
        try {
            Await.until("what returns too late is stopped", () -> looper.getState() == Bundle.INSTALLED);
        } finally {
            System.clearProperty("fence.test.go");
        }
    }

    @Test
    void PL_08_aPluginThatNeverReturnsFromItsStopKeepsNothingElseFromStopping() throws Exception {
        Bundle looper = plugin(SourceBundle.named("x.looper")
                .header("Bundle-Activator", "x.Main")
                .header("Import-Package", "org.osgi.framework")
                .source("x.Main", """
                        package x;
                        public class Main implements org.osgi.framework.BundleActivator {
                            public void start(org.osgi.framework.BundleContext context) {}
                            public void stop(org.osgi.framework.BundleContext context) {
                                while (System.getProperty("fence.test.go") == null) { Thread.onSpinWait(); }
                            }
                        }
                        """));
        assertEquals(List.of(Fence.Outcome.DONE), start(looper));
        core.adapt(org.osgi.framework.startlevel.BundleStartLevel.class).setStartLevel(1);
        try {
            framework.stop();
            Await.until(
                    "only the plugin is left",
                    () -> looper.getState() == Bundle.STOPPING && fence.onlyPluginsRun(framework.getBundleContext()));
        } finally {
            System.setProperty("fence.test.go", "yes");
            framework.waitForStop(10_000);
            System.clearProperty("fence.test.go");
        }
    }

    @Test
    void PL_15_whatAPluginLeavesInTheProcessIsRemovedOnStop() throws Exception {
        Bundle plugin = started(SourceBundle.named("x.litter")
                .header("Bundle-Activator", "x.Main")
                .header("Import-Package", "org.osgi.framework,javax.management")
                .source("x.LitterMBean", "package x; public interface LitterMBean {}")
                .source("x.Litter", "package x; public class Litter implements LitterMBean {}")
                .source(
                        "x.Crypto",
                        "package x; public class Crypto extends java.security.Provider {"
                                + " public Crypto() { super(\"x-crypto\", \"1\", \"\"); } }")
                .source("x.Main", """
                        package x;
                        public class Main implements org.osgi.framework.BundleActivator {
                            public void start(org.osgi.framework.BundleContext context) throws Exception {
                                java.security.Security.insertProviderAt(new Crypto(), 1);
                                java.lang.management.ManagementFactory.getPlatformMBeanServer().registerMBean(
                                        new Litter(), new javax.management.ObjectName("x:type=Litter"));
                                Thread.setDefaultUncaughtExceptionHandler((thread, thrown) -> {});
                                java.net.ProxySelector.setDefault(new java.net.ProxySelector() {
                                    public java.util.List<java.net.Proxy> select(java.net.URI uri) {
                                        return java.util.List.of();
                                    }
                                    public void connectFailed(java.net.URI u, java.net.SocketAddress a,
                                            java.io.IOException e) {}
                                });
                                new Thread(() -> {
                                    try { Thread.sleep(1_000_000); } catch (InterruptedException e) { }
                                }, "x-sleeper").start();
                                new Thread(() -> {
                                    while (System.getProperty("fence.test.go") == null) { Thread.onSpinWait(); }
                                }, "x-deaf").start();
                            }
                            public void stop(org.osgi.framework.BundleContext context) {}
                        }
                        """));
        try {
            assertNotNull(Security.getProvider("x-crypto"));
            plugin.stop();
            assertNull(Security.getProvider("x-crypto"));
            assertFalse(ManagementFactory.getPlatformMBeanServer().isRegistered(new ObjectName("x:type=Litter")));
            assertNull(Thread.getDefaultUncaughtExceptionHandler());
            assertFalse(java.net.ProxySelector.getDefault().getClass().getName().startsWith("x."));
            assertTrue(
                    audited.contains("plugin.leftover x.litter left a thread, which an interrupt ended"),
                    audited::toString);
            assertTrue(
                    audited.contains(
                            "plugin.leftover x.litter left a thread that runs on; only the end of the process ends it"),
                    audited::toString);
            assertEquals(6, fence.counts().get("plugin.leftover"));
        } finally {
            System.setProperty("fence.test.go", "yes");
            Await.until(
                    "the deaf thread ends",
                    () -> Thread.getAllStackTraces().keySet().stream()
                            .noneMatch(thread -> thread.getName().equals("x-deaf")));
            System.clearProperty("fence.test.go");
        }
    }

    @Test
    void whatIsAskedForHostsIsWhatTheManifestSays() throws Exception {
        Bundle plugin = plugin(SourceBundle.named("x.hosts").header(Rules.HOSTS, "a.example, *.b.example:443"));
        assertEquals(
                Map.of("plugin", true, "hosts", List.of("a.example", "*.b.example:443")),
                fence.apply(Map.of("op", "hosts", "bundle", plugin)));
        assertEquals(Map.of("plugin", false), fence.apply(Map.of("op", "hosts", "bundle", core)));
        assertTrue(fence.apply(Map.of("op", "other")).containsKey("problem"));
    }

    @Test
    void namesThatAPluginChoosesDoNotForgeLines() throws Exception {
        Bundle plugin = started(SourceBundle.named("x.forger"));
        register(plugin, "im.parley.x\n2026 ERROR all is lost");
        assertTrue(
                audited.contains(
                        "service.impostor x.forger registered im.parley.x?2026 ERROR all is lost; nobody sees it"),
                audited::toString);
    }
}
