package im.parley.storage.derby;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.SYNC;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The context of one instance: a data directory, and a vault that is a folder of plain files beside it. */
final class TestContext implements ProviderContext {
    private final Path home;
    private final SecureRandom random;

    TestContext(Path home, SecureRandom random) {
        this.home = home;
        this.random = random;
        try {
            Files.createDirectories(dataDir());
            Files.createDirectories(vault());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path vault() {
        return home.resolve("vault");
    }

    @Override
    public String instance() {
        return "im.parley.storage.derby.test~" + home.getFileName();
    }

    @Override
    public InstantSource clock() {
        return InstantSource.system();
    }

    @Override
    public SecureRandom random() {
        return random;
    }

    @Override
    public Egress egress(Scope scope) {
        throw new AssertionError("a store does not go to the network");
    }

    @Override
    public Path dataDir() {
        return home.resolve("data");
    }

    @Override
    public Executor executor() {
        return Runnable::run;
    }

    @Override
    public Secrets secrets() {
        return new Secrets() {
            @Override
            public List<String> names() {
                return List.of(java.util.Objects.requireNonNull(vault().toFile().list()));
            }

            @Override
            public boolean locked(String name) {
                return false;
            }

            @Override
            public byte[] read(String name) throws ProviderException {
                try {
                    return Files.readAllBytes(vault().resolve(name));
                } catch (IOException e) {
                    throw new ProviderException(Kind.REJECTED, "secret.missing", "No such secret.", e);
                }
            }

            @Override
            public void write(String name, byte[] value, char @Nullable [] passphrase) throws ProviderException {
                try {
                    Files.write(vault().resolve(name), value, CREATE, WRITE, TRUNCATE_EXISTING, SYNC);
                } catch (IOException e) {
                    throw new ProviderException(Kind.UNAVAILABLE, "vault.io", "Not written.", e);
                }
            }

            @Override
            public void unlock(String name, char[] passphrase) {}

            @Override
            public void delete(String name) throws ProviderException {
                try {
                    Files.deleteIfExists(vault().resolve(name));
                } catch (IOException e) {
                    throw new ProviderException(Kind.UNAVAILABLE, "vault.io", "Not deleted.", e);
                }
            }

            @Override
            public AutoCloseable onLock(Runnable callback) {
                return () -> {};
            }
        };
    }
}
