package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TokenBucketTest {
    @Test
    void holdsABurstAndRefillsByTheMillisecond() {
        TokenBucket bucket = new TokenBucket(3, 2, 1_000);
        assertTrue(bucket.take(3, 1_000));
        for (int millis = 1_001; millis < 1_500; millis++) {
            assertFalse(bucket.take(1, millis), "asking often neither helps nor hinders");
        }
        assertTrue(bucket.take(1, 1_500));
        assertFalse(bucket.take(1, 1_999));
        assertTrue(bucket.take(1, 2_000));
        assertTrue(bucket.take(3, 60_000));
        assertFalse(bucket.take(1, 60_000), "it never holds more than the burst");
    }

    @Test
    void aClockThatLeapsDoesNoHarm() {
        TokenBucket bucket = new TokenBucket(10, 1_000_000, 0);
        assertTrue(bucket.take(10, 0));
        assertTrue(bucket.take(10, Long.MAX_VALUE / 2));
        assertFalse(bucket.take(1, 5), "turned back, it does not refill");
        assertTrue(bucket.take(1, 6), "and goes on from there");
    }

    @Test
    void whatWasUsedAlreadyIsChargedOnCredit() {
        TokenBucket bucket = new TokenBucket(10, 10, 0);
        assertTrue(bucket.spend(10, 0));
        assertFalse(bucket.spend(15, 0));
        assertFalse(bucket.spend(0, 900));
        assertTrue(bucket.spend(0, 1_000), "the debt is never more than the burst");
        assertFalse(bucket.take(1, 1_000));
    }
}
