package im.parley.relayclient.internal;

import java.security.SecureRandom;
import java.time.Duration;

/**
 * How long to wait before the next connection: 0.5 to 1 s at first, doubled with each failure up to 30 to 60 s. The
 * random half keeps a thousand clients of one relay from coming back at the same moment. Not thread-safe.
 */
final class Backoff {
    private static final long FIRST_MILLIS = 1_000;
    private static final long MAX_MILLIS = 60_000;
    private static final int MAX_DOUBLINGS = 6;

    private final SecureRandom random;
    private int failures;
    private int refusals;

    Backoff(SecureRandom random) {
        this.random = random;
    }

    /** The relay did what it is for. What it refused is not forgiven by that. */
    void succeeded() {
        failures = 0;
    }

    /** It held for a good minute. */
    void held() {
        failures = 0;
        refusals = 0;
    }

    /** It closed a subscription that it should serve; such a relay is not hurried back to just because it connects. */
    void refused() {
        refusals++;
    }

    /** Counts a failure and says how long to wait now. */
    Duration failed() {
        int doublings = Math.min(MAX_DOUBLINGS, Math.max(failures, refusals));
        failures = Math.min(MAX_DOUBLINGS, failures + 1);
        long most = Math.min(MAX_MILLIS, FIRST_MILLIS << doublings);
        return Duration.ofMillis(most / 2 + random.nextLong(most / 2 + 1));
    }
}
