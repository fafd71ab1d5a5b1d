package im.parley.relayclient.internal;

import java.time.Duration;

/** Runs something later. The action must be short: it hands work to a {@link Serial}. */
interface Timers {
    Timer after(Duration delay, Runnable action);

    /** A pending action. */
    interface Timer {
        /** Idempotent; an action that already began is not stopped. */
        void cancel();
    }
}
