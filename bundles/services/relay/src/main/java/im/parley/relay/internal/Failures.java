package im.parley.relay.internal;

import org.slf4j.Logger;

/**
 * Failures that a loop outlives: each is counted, and the first of a row is logged. Reporting never fails itself, not even
 * when the heap is full. For one thread.
 */
final class Failures {
    private final Logger log;
    private final Drops drops;
    private final String code;
    private final String text;
    private boolean failing;

    Failures(Logger log, Drops drops, String code, String text) {
        this.log = log;
        this.drops = drops;
        this.code = code;
        this.text = text;
    }

    void add(Throwable failure) {
        try {
            drops.count(code);
            if (!failing) {
                failing = true;
                log.error(text, failure);
            }
        } catch (RuntimeException | Error unreportable) {
            // The loop goes on; there is no memory, or no log, to say so.
        }
    }

    /** Something succeeded. */
    void over() {
        failing = false;
    }
}
