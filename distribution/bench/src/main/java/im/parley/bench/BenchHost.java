package im.parley.bench;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** What a provider is handed in a measurement: secrets in memory, no way out. */
final class BenchHost implements ProviderContext {
    private final InstantSource clock;
    private final SecureRandom random;
    private final Path dataDir;
    private final Secrets secrets = new MemorySecrets();

    BenchHost(InstantSource clock, SecureRandom random) throws IOException {
        this.clock = clock;
        this.random = random;
        this.dataDir = Files.createTempDirectory("parley-bench");
        dataDir.toFile().deleteOnExit();
    }

    @Override
    public String instance() {
        return "bench~main";
    }

    @Override
    public InstantSource clock() {
        return clock;
    }

    @Override
    public SecureRandom random() {
        return random;
    }

    @Override
    public Secrets secrets() {
        return secrets;
    }

    @Override
    public Egress egress(Scope scope) {
        return (host, port, reason, timeout) -> {
            throw new ProviderException(Kind.REJECTED, "egress.refused", "A measurement connects nowhere.");
        };
    }

    @Override
    public Path dataDir() {
        return dataDir;
    }

    @Override
    public Executor executor() {
        return Runnable::run;
    }

    private static final class MemorySecrets implements Secrets {
        private final Map<String, byte[]> values = new ConcurrentHashMap<>();

        @Override
        public List<String> names() {
            return List.copyOf(values.keySet());
        }

        @Override
        public boolean locked(String name) {
            return false;
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            byte[] value = values.get(name);
            if (value == null) {
                throw new ProviderException(Kind.REJECTED, "secret.missing", "There is no secret of that name.");
            }
            return value.clone();
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) {
            values.put(name, value.clone());
        }

        @Override
        public void unlock(String name, char[] passphrase) {}

        @Override
        public void delete(String name) {
            values.remove(name);
        }

        @Override
        public AutoCloseable onLock(Runnable callback) {
            return () -> {};
        }
    }
}
