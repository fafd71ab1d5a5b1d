package im.parley.storage.derby;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Provider;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Await;
import java.lang.ref.WeakReference;
import java.lang.reflect.Constructor;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;
import org.osgi.framework.wiring.BundleWiring;
import org.osgi.framework.wiring.FrameworkWiring;

/** The bundle as it is shipped, in a framework that gives it only what its manifest asks for. */
class BundleTest {
    @TempDir
    Path folder;

    private Framework framework =
            ServiceLoader.load(FrameworkFactory.class).findFirst().orElseThrow().newFramework(Map.of());

    @BeforeEach
    void startFramework() throws Exception {
        framework = ServiceLoader.load(FrameworkFactory.class)
                .findFirst()
                .orElseThrow()
                .newFramework(Map.of(
                        Constants.FRAMEWORK_STORAGE,
                        folder.resolve("framework").toString(),
                        Constants.FRAMEWORK_BOOTDELEGATION,
                        "",
                        "felix.bootdelegation.implicit",
                        "false",
                        Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA,
                        "im.parley.api.event;version=0.1.0,im.parley.api.lifecycle;version=0.1.0,"
                                + "im.parley.api.storage;version=0.2.0,im.parley.protocol;version=0.1.0,"
                                + "org.slf4j;version=2.0.17",
                        Constants.FRAMEWORK_SYSTEMCAPABILITIES_EXTRA,
                        "osgi.extender;osgi.extender=\"osgi.component\";version:Version=\"1.5.0\""));
        framework.start();
    }

    @AfterEach
    void stopFramework() throws Exception {
        framework.stop();
        framework.waitForStop(10_000);
    }

    private Bundle install() throws Exception {
        Path classes = Path.of(
                Objects.requireNonNull(DerbyEngine.class.getProtectionDomain().getCodeSource())
                        .getLocation()
                        .toURI());
        assertTrue(Files.exists(classes.resolve("lib/derby.jar")), "the bundle is not assembled in " + classes);
        Bundle bundle = framework.getBundleContext().installBundle("reference:" + classes.toUri());
        bundle.start();
        return bundle;
    }

    private static Object engine(Bundle bundle) throws Exception {
        return bundle.loadClass(DerbyEngine.class.getName()).getConstructor().newInstance();
    }

    private static void close(Object engine) throws Exception {
        engine.getClass().getMethod("close").invoke(engine);
    }

    /** As Declarative Services makes it, with the defaults of its configuration. */
    @SuppressWarnings("unchecked")
    private static <T> Provider<T> provider(Bundle bundle, Class<?> type, Object engine) throws Exception {
        Class<?> loaded = bundle.loadClass(type.getName());
        assertNotSame(type, loaded);
        Constructor<?> constructor = loaded.getConstructors()[0];
        Class<?> config = constructor.getParameterTypes()[1];
        Object defaults = Proxy.newProxyInstance(
                config.getClassLoader(),
                new Class<?>[] {config},
                (proxy, method, args) -> Objects.requireNonNull(method.getDefaultValue()));
        return (Provider<T>) constructor.newInstance(engine, defaults);
    }

    private TestContext home(String name) {
        return Homes.context(folder.resolve(name));
    }

    private void useBothStores(Bundle bundle) throws Exception {
        Object engine = engine(bundle);
        try {
            EventStore events = BundleTest.<EventStore>provider(bundle, DerbyEventStoreProvider.class, engine)
                    .open(home("events"));
            Event event = SampleEvents.event(
                    SampleEvents.author(1), 5, 30_000, List.of(List.of("d", "x")), "é".repeat(40_000));
            assertEquals(List.of(Outcome.STORED), events.commit(new Batch(List.of(new Batch.Item.Put(event, 6)))));
            List<Event> found = new ArrayList<>();
            events.query(Filter.builder().tag('d', List.of("x")).build(), found::add);
            assertEquals(List.of(event), found);
            RecordStore records = BundleTest.<RecordStore>provider(bundle, DerbyRecordStoreProvider.class, engine)
                    .open(home("records"));
            Space space = records.open(new SpaceId("s"));
            space.transact(transaction -> {
                transaction.put(new byte[] {1}, new byte[100_000]);
                return true;
            });
            assertEquals(1, space.commitSeq());
            ((AutoCloseable) events).close();
            ((AutoCloseable) records).close();
        } finally {
            close(engine);
        }
    }

    @Test
    void theBundleResolvesAndWorksWithWhatItImports() throws Exception {
        Bundle bundle = install();
        assertEquals(Bundle.ACTIVE, bundle.getState());
        String imports = bundle.getHeaders().get(Constants.IMPORT_PACKAGE);
        for (String unwanted : List.of("javax.naming", "javax.management", "javax.net", "derby", "com.ibm")) {
            assertFalse(imports.contains(unwanted), unwanted + " in " + imports);
        }
        assertTrue(imports.contains("javax.crypto"));
        assertNull(bundle.getHeaders().get(Constants.EXPORT_PACKAGE), "a provider exports nothing");
        assertNull(bundle.getHeaders().get(Constants.DYNAMICIMPORT_PACKAGE));
        assertNull(bundle.getHeaders().get(Constants.BUNDLE_ACTIVATOR));
        useBothStores(bundle);
    }

    /** CVE-2022-46337 needs the LDAP authenticator, CVE-2018-1313 the network server. */
    @Test
    void neitherLdapNorANetworkServerCanBeLoaded() throws Exception {
        Bundle bundle = install();
        ClassLoader loader = bundle.adapt(BundleWiring.class).getClassLoader();
        LinkageError ldap = assertThrows(
                LinkageError.class,
                () -> Class.forName(
                                "org.apache.derby.impl.jdbc.authentication.LDAPAuthenticationSchemeImpl", true, loader)
                        .getDeclaredMethods());
        assertTrue(String.valueOf(ldap.getMessage()).contains("javax/naming"), ldap.toString());
        for (String missing : List.of(
                "org.apache.derby.drda.NetworkServerControl",
                "org.apache.derby.impl.drda.NetworkServerControlImpl",
                "org.apache.derby.client.ClientAutoloadedDriver",
                "javax.naming.Context")) {
            assertThrows(ClassNotFoundException.class, () -> loader.loadClass(missing), missing);
        }
    }

    @Test
    void nothingOfTheBundleStaysBehind() throws Exception {
        WeakReference<ClassLoader> loader = useAndUninstall();
        Await.until("the class loader is collected", Duration.ofSeconds(30), () -> {
            System.gc();
            return loader.get() == null;
        });
        assertTrue(
                Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().contains("parley-events-writer")),
                "a writer thread is left");
    }

    private WeakReference<ClassLoader> useAndUninstall() throws Exception {
        Bundle bundle = install();
        useBothStores(bundle);
        WeakReference<ClassLoader> loader =
                new WeakReference<>(bundle.adapt(BundleWiring.class).getClassLoader());
        bundle.uninstall();
        framework.adapt(FrameworkWiring.class).refreshBundles(null);
        return loader;
    }
}
