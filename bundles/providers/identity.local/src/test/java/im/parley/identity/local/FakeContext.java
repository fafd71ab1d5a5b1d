package im.parley.identity.local;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/** Secrets and randomness, nothing else: a local identity needs no clock, network or disk of its own. */
record FakeContext(Secrets secrets, SecureRandom random) implements ProviderContext {
    @Override
    public String instance() {
        return LocalIdentityProvider.PID + "~test";
    }

    @Override
    public InstantSource clock() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Egress egress(Scope scope) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Path dataDir() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Executor executor() {
        throw new UnsupportedOperationException();
    }
}
