package im.parley.outbox.simulation;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/** The context of a provider that must not need one. */
public final class NoContext implements ProviderContext {
    @Override
    public String instance() {
        return "test~none";
    }

    @Override
    public InstantSource clock() {
        throw new UnsupportedOperationException();
    }

    @Override
    public SecureRandom random() {
        throw new UnsupportedOperationException();
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
    public Path dataDir() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Executor executor() {
        throw new UnsupportedOperationException();
    }
}
