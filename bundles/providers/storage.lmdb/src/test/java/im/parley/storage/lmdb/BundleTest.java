package im.parley.storage.lmdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Await;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
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

    private int uses;

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
                                + "im.parley.cipher;version=0.1.0,org.bouncycastle.crypto;version=1.84,"
                                + "org.bouncycastle.crypto.macs;version=1.84,org.bouncycastle.crypto.params;version=1.84,"
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

    private static Path classes() throws Exception {
        return Path.of(
                Objects.requireNonNull(LmdbEngine.class.getProtectionDomain().getCodeSource())
                        .getLocation()
                        .toURI());
    }

    private Bundle install() throws Exception {
        Path classes = classes();
        assertTrue(Files.exists(classes.resolve("lib/lwjgl.jar")), "the bundle is not assembled in " + classes);
        Bundle bundle = framework.getBundleContext().installBundle("reference:" + classes.toUri());
        bundle.start();
        return bundle;
    }

    private static Object engine(Bundle bundle) throws Exception {
        return bundle.loadClass(LmdbEngine.class.getName()).getConstructor().newInstance();
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
            EventStore events = BundleTest.<EventStore>provider(bundle, LmdbEventStoreProvider.class, engine)
                    .open(home("events"));
            Event event = SampleEvents.event(
                    SampleEvents.author(1), 5, 30_000, List.of(List.of("d", "x")), "é".repeat(40_000));
            // The same data each time: what one class loader left, the next one opens.
            uses++;
            assertEquals(
                    List.of(uses == 1 ? Outcome.STORED : Outcome.DUPLICATE),
                    events.commit(new Batch(List.of(new Batch.Item.Put(event, 6)))));
            List<Event> found = new ArrayList<>();
            events.query(Filter.builder().tag('d', List.of("x")).build(), found::add);
            assertEquals(List.of(event), found);
            RecordStore records = BundleTest.<RecordStore>provider(bundle, LmdbRecordStoreProvider.class, engine)
                    .open(home("records"));
            Space space = records.open(new SpaceId("s"));
            space.transact(transaction -> {
                transaction.put(new byte[] {1}, new byte[100_000]);
                return true;
            });
            assertEquals(uses, space.commitSeq());
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
        assertFalse(imports.contains("lwjgl"), imports);
        assertTrue(imports.contains("sun.misc;resolution:=optional"), imports);
        assertNull(bundle.getHeaders().get(Constants.EXPORT_PACKAGE), "a provider exports nothing");
        assertNull(bundle.getHeaders().get(Constants.DYNAMICIMPORT_PACKAGE));
        assertNull(bundle.getHeaders().get(Constants.BUNDLE_ACTIVATOR));
        useBothStores(bundle);
        assertNoLibraryLeft();
    }

    /** The JVM binds a library file to one class loader, so each needs a copy of its own. */
    @Test
    void itStartsAndStopsAndIsUpdatedInOneJvm() throws Exception {
        Bundle bundle = install();
        for (int round = 0; round < 3; round++) {
            useBothStores(bundle);
            bundle.stop();
            bundle.start();
            useBothStores(bundle);
            ClassLoader before = bundle.adapt(BundleWiring.class).getClassLoader();
            bundle.update();
            CountDownLatch refreshed = new CountDownLatch(1);
            framework.adapt(FrameworkWiring.class).refreshBundles(List.of(bundle), event -> refreshed.countDown());
            assertTrue(refreshed.await(10, TimeUnit.SECONDS));
            assertEquals(Bundle.ACTIVE, bundle.getState());
            assertNotSame(before, bundle.adapt(BundleWiring.class).getClassLoader(), "it was not updated");
        }
        useBothStores(bundle);
        assertNoLibraryLeft();
    }

    /** As when a new version works beside the old one, until a swap has drained the old. */
    @Test
    void twoVersionsWorkSideBySideAndNotInOneDirectory() throws Exception {
        Bundle old = install();
        Bundle fresh = framework.getBundleContext().installBundle("second", new ByteArrayInputStream(jar()));
        fresh.start();
        Object oldEngine = engine(old);
        Object freshEngine = engine(fresh);
        EventStore store = BundleTest.<EventStore>provider(old, LmdbEventStoreProvider.class, oldEngine)
                .open(home("shared"));
        ProviderException refused = assertThrows(
                ProviderException.class,
                () -> BundleTest.<EventStore>provider(fresh, LmdbEventStoreProvider.class, freshEngine)
                        .open(home("shared")));
        assertEquals("store.locked", refused.code());
        useBothStores(fresh);
        Event event = SampleEvents.note(7, "still works");
        assertEquals(List.of(Outcome.STORED), store.commit(new Batch(List.of(new Batch.Item.Put(event, 6)))));
        close(oldEngine);
        EventStore taken = BundleTest.<EventStore>provider(fresh, LmdbEventStoreProvider.class, freshEngine)
                .open(home("shared"));
        assertTrue(taken.contains(event.id()));
        close(freshEngine);
    }

    /** The same bundle as a file, under another version. */
    private byte[] jar() throws Exception {
        Path classes = classes();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Manifest manifest;
        try (InputStream in = Files.newInputStream(classes.resolve("META-INF/MANIFEST.MF"))) {
            manifest = new Manifest(in);
        }
        manifest.getMainAttributes().putValue(Constants.BUNDLE_VERSION, "0.1.1");
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest);
                Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = classes.relativize(file).toString();
                if (!name.equals("META-INF/MANIFEST.MF")) {
                    jar.putNextEntry(new ZipEntry(name));
                    Files.copy(file, jar);
                    jar.closeEntry();
                }
            }
        }
        return bytes.toByteArray();
    }

    @Test
    void nothingIsLoadedBeforeAStoreIsOpened() throws Exception {
        Bundle bundle = install();
        Object engine = engine(bundle);
        provider(bundle, LmdbEventStoreProvider.class, engine);
        provider(bundle, LmdbRecordStoreProvider.class, engine);
        Method isLoaded = engine.getClass().getDeclaredMethod("isLoaded");
        isLoaded.setAccessible(true);
        assertEquals(false, isLoaded.invoke(engine));
        BundleTest.<EventStore>provider(bundle, LmdbEventStoreProvider.class, engine)
                .open(home("first"));
        assertEquals(true, isLoaded.invoke(engine));
        close(engine);
    }

    private void assertNoLibraryLeft() throws Exception {
        try (Stream<Path> files = Files.walk(folder)) {
            assertEquals(
                    List.of(),
                    files.filter(file -> file.getFileName().toString().endsWith(".so"))
                            .filter(file -> !file.startsWith(folder.resolve("framework")))
                            .toList());
        }
        String user = System.getProperty("user.name");
        assertFalse(Files.exists(Path.of(System.getProperty("java.io.tmpdir"), "lwjgl_" + user)));
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
                        .noneMatch(thread -> thread.getName().matches("parley-(events|records)-writer.*")),
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
