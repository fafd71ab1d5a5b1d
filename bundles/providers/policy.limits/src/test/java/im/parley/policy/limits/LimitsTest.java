package im.parley.policy.limits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.policy.Client;
import im.parley.api.policy.Verdict;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LimitsTest {
    private static final Verdict TOO_MANY_EVENTS = Verdict.refuse(
            Verdict.Prefix.RATE_LIMITED, "too many events come from your address, try again in a minute");

    private final SettableClock clock = SettableClock.atSecond(1_800_000_000L);

    private Limits limits(Map<String, Object> settings) {
        return new Limits(LimitsSettings.of(configuration(settings)), clock);
    }

    private static LimitsConfiguration configuration(Map<String, Object> settings) {
        return (LimitsConfiguration) Proxy.newProxyInstance(
                LimitsConfiguration.class.getClassLoader(),
                new Class<?>[] {LimitsConfiguration.class},
                (proxy, method, arguments) -> settings.getOrDefault(method.getName(), method.getDefaultValue()));
    }

    private static Client client(String address) {
        return new Client(address, Set.of(), false);
    }

    private static Event event(int kind, String content) {
        return new Event(
                EventId.of(new byte[32]),
                PublicKey.of(new byte[32]),
                1_800_000_000L,
                kind,
                List.of(),
                content,
                Signature.of(new byte[64]));
    }

    @Test
    void anAddressHasItsBurstThenItsRateAndOthersHaveTheirs() {
        Limits limits = limits(Map.of("eventsPerMinute", 60, "eventsAtOnce", 5));
        Client one = client("203.0.113.7");
        for (int i = 0; i < 5; i++) {
            assertTrue(limits.judge(event(1, ""), one).accepted());
        }
        assertEquals(TOO_MANY_EVENTS, limits.judge(event(1, ""), one));
        assertTrue(limits.judge(event(1, ""), client("203.0.113.8")).accepted());
        clock.advance(Duration.ofMillis(999));
        assertFalse(limits.judge(event(1, ""), one).accepted());
        clock.advance(Duration.ofMillis(1));
        assertTrue(limits.judge(event(1, ""), one).accepted());
        assertFalse(limits.judge(event(1, ""), one).accepted());
        clock.advance(Duration.ofDays(400));
        for (int i = 0; i < 5; i++) {
            assertTrue(limits.judge(event(1, ""), one).accepted());
        }
        assertFalse(limits.judge(event(1, ""), one).accepted());
    }

    /** The definition, kept as a list of what was taken: at any time t, no more than burst + rate * (t - s) since any s. */
    @Test
    void neverMoreThanTheBurstPlusTheRate() {
        RandomGenerator random = Seeds.generator("LimitsTest");
        for (int run = 0; run < 50; run++) {
            int perMinute = 1 + random.nextInt(6_000);
            int atOnce = 1 + random.nextInt(50);
            Limits limits = limits(Map.of("eventsPerMinute", perMinute, "eventsAtOnce", atOnce));
            ArrayDeque<Long> taken = new ArrayDeque<>();
            for (int i = 0; i < 300; i++) {
                clock.advance(Duration.ofMillis(random.nextInt(1 + 2 * 60_000 / perMinute)));
                if (limits.judge(event(1, ""), client("203.0.113.7")).accepted()) {
                    taken.add(clock.millis());
                    int since = taken.size();
                    for (long start : taken) {
                        double allowed = atOnce + (clock.millis() - start) * (double) perMinute / 60_000;
                        // One time stamp is cut to whole microseconds.
                        assertTrue(since <= allowed + 0.01, since + " of " + allowed);
                        since--;
                    }
                }
            }
            clock.advance(Duration.ofDays(1));
        }
    }

    @Test
    void aClockThatIsTurnedBackLocksNobodyOut() {
        Limits limits = limits(Map.of("eventsPerMinute", 60, "eventsAtOnce", 5));
        assertTrue(limits.judge(event(1, ""), client("a")).accepted());
        clock.advance(Duration.ofDays(-3));
        assertTrue(limits.judge(event(1, ""), client("a")).accepted());
    }

    @Test
    void bytesAndFiltersAreCountedOnTheirOwn() {
        Limits limits = limits(Map.of("kibAtOnce", 16_384, "kibPerMinute", 1, "filtersAtOnce", 1_000));
        Client one = client("203.0.113.7");
        Event large = event(1, "x".repeat(4 << 20));
        for (int i = 0; i < 3; i++) {
            assertTrue(limits.judge(large, one).accepted());
        }
        assertEquals(
                "too many bytes come from your address, try again in a minute",
                limits.judge(large, one).reason());
        assertTrue(limits.judge(event(1, ""), one).accepted(), "what is small still fits");
        List<Filter> thousand = Collections.nCopies(1_000, Filter.builder().build());
        assertTrue(limits.judge(thousand, one).accepted());
        assertEquals(
                "too many filters come from your address, try again in a minute",
                limits.judge(thousand.subList(0, 1), one).reason());
    }

    @ParameterizedTest
    @CsvSource({
        "2001:db8:0:1:0:0:0:1, 2001:db8:0:1:ffff:0:0:2, true",
        "2001:db8:0:1:0:0:0:1, 2001:db8:0:2:0:0:0:1, false",
        "203.0.113.7, 203.0.113.7, true",
        "203.0.113.7, 203.0.113.70, false"
    })
    void addressesOfOneNetworkShare(String first, String second, boolean shared) {
        Limits limits = limits(Map.of("eventsPerMinute", 1, "eventsAtOnce", 1));
        assertTrue(limits.judge(event(1, ""), client(first)).accepted());
        assertEquals(!shared, limits.judge(event(1, ""), client(second)).accepted());
    }

    @Test
    void thisMachineIsExemptAtFirstAndTheNodeItselfAlways() {
        Limits limits = limits(Map.of("eventsPerMinute", 1, "eventsAtOnce", 1));
        Limits all = limits(Map.of("eventsPerMinute", 1, "eventsAtOnce", 1, "exempt", new String[0]));
        Client local = new Client("local", Set.of(), true);
        for (int i = 0; i < 10; i++) {
            assertTrue(limits.judge(event(1, ""), client("127.0.0.1")).accepted());
            assertTrue(limits.judge(event(1, ""), client("0:0:0:0:0:0:0:1")).accepted());
            assertTrue(all.judge(event(1, ""), local).accepted());
        }
        assertTrue(all.judge(event(1, ""), client("127.0.0.1")).accepted());
        assertFalse(all.judge(event(1, ""), client("127.0.0.1")).accepted());
    }

    @Test
    void refusedKindsAreBlockedForEverybody() {
        Limits limits = limits(Map.of("refusedKinds", new String[] {"4", "30000-39999"}));
        for (int kind : new int[] {4, 30_000, 35_000, 39_999}) {
            assertEquals(
                    Verdict.refuse(Verdict.Prefix.BLOCKED, "kind-not-taken this relay takes no events of kind " + kind),
                    limits.judge(event(kind, ""), new Client("local", Set.of(), true)));
        }
        for (int kind : new int[] {3, 5, 29_999, 40_000}) {
            assertTrue(limits.judge(event(kind, ""), client("a")).accepted());
        }
    }

    @Test
    void anAttackerWithManyAddressesCostsNoMemory() {
        Limits limits = limits(Map.of("addresses", 100, "eventsPerMinute", 1, "eventsAtOnce", 1));
        for (int i = 0; i < 10_000; i++) {
            limits.judge(event(1, ""), client("a" + i));
        }
        assertEquals(100, limits.remembered());
        assertFalse(limits.judge(event(1, ""), client("a9999")).accepted(), "the newest are remembered");
    }

    @ParameterizedTest
    @CsvSource({
        "eventsPerMinute, 0, 1 to 10000000",
        "eventsAtOnce, 10000001, 1 to 10000000",
        "kibAtOnce, 16383, 16384 to 10000000",
        "filtersAtOnce, 999, 1000 to 10000000",
        "addresses, 99, 100 to 10000000"
    })
    void numbersOutOfRangeAreRefused(String key, int value, String allowed) {
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class, () -> LimitsSettings.of(configuration(Map.of(key, value))));
        assertEquals("im.parley.policy.limits: " + key + " is '" + value + "', allowed: " + allowed, e.getMessage());
    }

    @ParameterizedTest
    @CsvSource({"x", "-1", "65536", "5-4", "1-x", "''", "1-2-3"})
    void kindsThatAreNoneAreRefused(String text) {
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class,
                () -> LimitsSettings.of(configuration(Map.of("refusedKinds", new String[] {text}))));
        assertEquals(
                "im.parley.policy.limits: refusedKinds is '" + text
                        + "', allowed: kinds 0 to 65535 and ranges FIRST-LAST",
                e.getMessage());
    }
}
