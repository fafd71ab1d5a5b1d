package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.COUNTERS;

import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Tx;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A hybrid logical clock: milliseconds in the upper 48 bits, a counter in the lower 16. It follows the wall clock, never
 * turns back, and is behind nothing that was seen, so that an answer sorts behind its question on every device.
 */
final class HybridClock {
    /** How far another node's clock may drag this one ahead. */
    static final Duration MAX_DRIFT = Duration.ofMinutes(5);

    private static final int COUNTER_BITS = 16;
    private static final RecordKey LAST = RecordKey.of(COUNTERS, "clock");

    private HybridClock() {}

    /** A value larger than all before. */
    static long tick(Tx tx, long nowMillis) throws ProviderException {
        long next = Math.max(last(tx) + 1, of(nowMillis));
        put(tx, next);
        return next;
    }

    /** Takes note of another node's value, unless it is too far ahead to be true. */
    static void observe(Tx tx, long value, long nowMillis) throws ProviderException {
        if (value > last(tx) && value <= of(nowMillis + MAX_DRIFT.toMillis())) {
            put(tx, value);
        }
    }

    static long of(long millis) {
        return millis << COUNTER_BITS;
    }

    static long millis(long value) {
        return value >>> COUNTER_BITS;
    }

    /** 16 lower-case hex digits: as text in the same order as in number. */
    static String text(long value) {
        String hex = Long.toHexString(value).toLowerCase(Locale.ROOT);
        return "0".repeat(16 - hex.length()) + hex;
    }

    /** Reads {@link #text}; negative for anything else. */
    static long parse(String text) {
        if (text.length() != 16 || text.charAt(0) > '7') {
            return -1;
        }
        long value = 0;
        for (int i = 0; i < 16; i++) {
            char c = text.charAt(i);
            int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
            if (digit < 0) {
                return -1;
            }
            value = value << 4 | digit;
        }
        return value;
    }

    private static long last(Tx tx) throws ProviderException {
        byte @Nullable [] value = tx.get(LAST);
        return value == null ? 0 : new RecordInput(value, 1).number();
    }

    private static void put(Tx tx, long value) throws ProviderException {
        tx.put(LAST, new RecordOutput(1).number(value).done());
    }
}
