package im.parley.fuzz;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/** All that a curve asks of its host: randomness, and a place to unpack a library. */
final class CurveHost implements ProviderContext {
    private final SecureRandom random = new SecureRandom();
    private final Path dataDir;

    CurveHost() throws IOException {
        dataDir = Files.createTempDirectory(Path.of("target"), "curve");
    }

    @Override
    public SecureRandom random() {
        return random;
    }

    @Override
    public String instance() {
        return "fuzz~main";
    }

    @Override
    public InstantSource clock() {
        throw notForCurves();
    }

    @Override
    public Secrets secrets() {
        throw notForCurves();
    }

    @Override
    public Egress egress(Scope scope) {
        throw notForCurves();
    }

    @Override
    public Path dataDir() {
        return dataDir;
    }

    @Override
    public Executor executor() {
        throw notForCurves();
    }

    private static IllegalStateException notForCurves() {
        return new IllegalStateException("a curve does not ask for this");
    }
}
