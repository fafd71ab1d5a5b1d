package im.parley.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class TestkitTest {
    @Test
    void equalNamesGiveEqualStreamsAndOtherNamesOthers() {
        assertEquals(Seeds.generator("a").nextLong(), Seeds.generator("a").nextLong());
        assertNotEquals(Seeds.generator("a").nextLong(), Seeds.generator("b").nextLong());
    }

    @Test
    void seededRandomRepeatsAndIgnoresSetSeed() {
        SeededRandom one = new SeededRandom(5);
        SeededRandom two = new SeededRandom(5);
        two.setSeed(99);
        byte[] a = new byte[40];
        byte[] b = new byte[40];
        one.nextBytes(a);
        two.nextBytes(b);
        assertArrayEquals(a, b);
        assertEquals(one.nextInt(), two.nextInt());
        assertNotEquals(new SeededRandom(6).nextLong(), new SeededRandom(5).nextLong());
    }

    @Test
    void awaitReturnsWhenTheConditionHoldsAndFailsAtTheDeadline() {
        AtomicInteger calls = new AtomicInteger();
        Await.until("the third call", () -> calls.incrementAndGet() == 3);
        assertEquals(3, calls.get());
        AssertionError error = assertThrows(
                AssertionError.class, () -> Await.until("the impossible", Duration.ofMillis(20), () -> false));
        assertTrue(error.toString().contains("the impossible"));
        AtomicInteger tries = new AtomicInteger();
        Await.passes("the second try", () -> assertEquals(2, tries.incrementAndGet()));
    }

    @Test
    void clockStandsStillUntilMoved() {
        SettableClock clock = SettableClock.atSecond(1_700_000_000);
        assertEquals(1_700_000_000, clock.epochSecond());
        clock.advance(Duration.ofSeconds(-5));
        assertEquals(1_699_999_995, clock.instant().getEpochSecond());
    }

    @Test
    void officialVectorsAreRead() {
        List<List<String>> rows = Vectors.csv("bip340/test-vectors.csv");
        assertEquals("secret key", rows.get(0).get(1));
        assertTrue(rows.size() > 10);
        assertTrue(rows.stream().allMatch(row -> row.size() == 8));
        assertTrue(Vectors.json("nips/nip19.json").size() > 0);
    }
}
