package im.parley.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.Vault;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ReadinessTest {
    /** A vault that could not be opened, as its contract says it looks. */
    private static final class ClosedVault implements Vault {
        private static ProviderException problem() {
            return new ProviderException(Kind.UNAVAILABLE, "vault.no-device-key", "The device key is not here.");
        }

        @Override
        public State state() {
            return new State(false, true, 0, Instant.EPOCH);
        }

        @Override
        public void setPin(char @Nullable [] current, char @Nullable [] next) throws ProviderException {
            throw problem();
        }

        @Override
        public void lock() throws ProviderException {
            throw problem();
        }

        @Override
        public void unlock(char[] pin) throws ProviderException {
            throw problem();
        }
    }

    @Test
    void vaultThatCouldNotBeOpenedIsAProblemEvenIfItIsOnlyUnavailable() {
        ProviderException problem = Readiness.problemOf(new ClosedVault());
        assertNotNull(problem);
        assertEquals("vault.no-device-key", problem.code());
    }

    @Test
    void openOrLockedVaultIsNoProblemAndIsNotTouched() throws Exception {
        FakeVault vault = new FakeVault();
        assertNull(Readiness.problemOf(vault));
        assertFalse(vault.locked);
        vault.setPin(null, "1234".toCharArray());
        assertNull(Readiness.problemOf(vault));
        assertFalse(vault.locked, "asking must not lock the session");
        vault.lock();
        assertNull(Readiness.problemOf(vault));
    }
}
