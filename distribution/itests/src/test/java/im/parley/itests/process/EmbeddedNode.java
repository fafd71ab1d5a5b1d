package im.parley.itests.process;

import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A node of the real distribution inside this process, as a host application would run it: the jars of its {@code lib} in
 * a class loader of their own, so that nothing on the class path of the tests gets in between.
 */
final class EmbeddedNode implements AutoCloseable {
    private final URLClassLoader loader;
    private final Object inside;

    private final int port;

    private EmbeddedNode(URLClassLoader loader, Object inside, int port) {
        this.loader = loader;
        this.inside = inside;
        this.port = port;
    }

    URI relayUrl() {
        return URI.create("ws://127.0.0.1:" + port);
    }

    /** Starts it on ports that nothing else has; returns when it is ready. */
    static EmbeddedNode start(Path base, String feature) throws Exception {
        return start(base, feature, DistributionNode.freePorts());
    }

    private static EmbeddedNode start(Path base, String feature, int port) throws Exception {
        Path home = Path.of(System.getProperty("parley.dist"));
        List<URL> path = new ArrayList<>();
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(home.resolve("lib"), "*.jar")) {
            for (Path jar : jars) {
                path.add(jar.toUri().toURL());
            }
        }
        path.add(EmbeddedNode.class.getProtectionDomain().getCodeSource().getLocation());
        URLClassLoader loader = new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
        try {
            Class<?> type = loader.loadClass(InsideNode.class.getName());
            Method start = type.getDeclaredMethod("start", Path.class, Path.class, String.class, int.class);
            start.setAccessible(true);
            return new EmbeddedNode(loader, start.invoke(null, home, base, feature, port), port);
        } catch (ReflectiveOperationException | RuntimeException e) {
            loader.close();
            throw e;
        }
    }

    /** Its control socket. */
    Path socket() throws ReflectiveOperationException {
        return (Path) call("socket");
    }

    /** Every bundle that is installed, and its state. */
    String bundles() throws ReflectiveOperationException {
        return (String) call("bundles");
    }

    /** Installs one more version of a provider's bundle beside those that are there; answers its instance. */
    String install(String symbolicName) throws ReflectiveOperationException {
        return (String) call("install", symbolicName);
    }

    /** Makes an instance {@code pid~name} of a bundle that is there, with one property of several values. */
    void configure(String pid, String name, String key, String... values) throws ReflectiveOperationException {
        call("configure", pid, name, key, String.join(",", values));
    }

    /** Uninstalls all versions of it but the newest. */
    void uninstallOlder(String symbolicName) throws ReflectiveOperationException {
        call("uninstallOlder", symbolicName);
    }

    /** Takes all services of a bundle away, and brings them back. */
    void bounce(String symbolicName) throws ReflectiveOperationException {
        call("bounce", symbolicName);
    }

    private Object call(String name, String... arguments) throws ReflectiveOperationException {
        for (Method method : inside.getClass().getDeclaredMethods()) {
            if (method.getName().equals(name)) {
                method.setAccessible(true);
                return method.invoke(inside, (Object[]) arguments);
            }
        }
        throw new NoSuchMethodException(name);
    }

    @Override
    public void close() throws IOException {
        try {
            call("close");
        } catch (ReflectiveOperationException e) {
            throw new IOException(e);
        } finally {
            loader.close();
        }
    }
}
