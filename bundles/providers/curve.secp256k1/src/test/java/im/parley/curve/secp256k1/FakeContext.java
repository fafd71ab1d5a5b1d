package im.parley.curve.secp256k1;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.testkit.Seeds;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/** What the native curve is handed: a directory and randomness. */
record FakeContext(Path dataDir) implements ProviderContext {
    @Override
    public String instance() {
        return NativeCurve.PID + "~test";
    }

    @Override
    public InstantSource clock() {
        throw new UnsupportedOperationException();
    }

    @Override
    public SecureRandom random() {
        return Seeds.secureRandom("curve.secp256k1");
    }

    @Override
    public Secrets secrets() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Egress egress(Scope scope) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Executor executor() {
        return Runnable::run;
    }
}
