package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.Vault;
import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A lock with one PIN, and the arrays it was handed. */
final class FakeVault implements Vault {
    final AtomicReference<char @Nullable []> handed = new AtomicReference<>();
    volatile boolean locked;
    private volatile char @Nullable [] pin;

    @Override
    public State state() {
        return new State(pin != null, locked, 0, Instant.EPOCH);
    }

    @Override
    public void setPin(char @Nullable [] current, char @Nullable [] next) throws ProviderException {
        check(current);
        handed.set(next);
        pin = next == null ? null : next.clone();
    }

    private void check(char @Nullable [] given) throws ProviderException {
        char[] set = pin;
        if (set != null && (given == null || !Arrays.equals(set, given))) {
            throw new ProviderException(Kind.AUTHENTICATION, "pin.wrong", "The PIN is wrong.");
        }
    }

    @Override
    public void lock() {
        locked = true;
    }

    @Override
    public void unlock(char[] given) throws ProviderException {
        handed.set(given);
        check(given);
        locked = false;
    }
}
