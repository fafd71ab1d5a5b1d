package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.transport.FrameSink;
import im.parley.protocol.FilterMatch;
import im.parley.testkit.Seeds;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class LiveIndexTest {
    @Test
    void candidatesMissNoSubscriptionThatADumbTwinFinds() {
        RandomGenerator random = Seeds.generator("LiveIndexTest");
        try (Bench bench = new Bench("LiveIndexTest.keys")) {
            List<TestKey> keys = List.of(bench.key(), bench.key(), bench.key(), bench.key());
            Session session = new Session(bench.relay, new NoSink(), "", "203.0.113.7");
            LiveIndex index = new LiveIndex();
            List<Subscription> subscriptions = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                List<Filter> filters = new ArrayList<>();
                for (int f = 0; f <= random.nextInt(3); f++) {
                    filters.add(filter(random, keys));
                }
                Subscription subscription = new Subscription(session, "s" + i, filters);
                subscriptions.add(subscription);
                index.add(subscription);
            }
            int matches = 0;
            int candidates = 0;
            for (int i = 0; i < 300; i++) {
                Event event = keys.get(random.nextInt(4))
                        .event(
                                Bench.NOW,
                                random.nextInt(6),
                                List.of(List.of("t", "v" + random.nextInt(30)), List.of("r", "w" + random.nextInt(30))),
                                "e" + i);
                Set<Subscription> dumb = new HashSet<>();
                for (Subscription subscription : subscriptions) {
                    if (subscription.filters().stream().anyMatch(f -> FilterMatch.matches(f, event))) {
                        dumb.add(subscription);
                    }
                }
                Set<Subscription> found = index.candidates(event);
                candidates += found.size();
                found.removeIf(s -> s.filters().stream().noneMatch(f -> FilterMatch.matches(f, event)));
                assertEquals(dumb, found);
                matches += dumb.size();
            }
            assertTrue(matches > 100, "the generator makes matches: " + matches);
            assertTrue(candidates < 300 * 300 / 2, "the index singles out: " + candidates);
            subscriptions.forEach(index::remove);
            assertTrue(index.isEmpty());
        }
    }

    private static Filter filter(RandomGenerator random, List<TestKey> keys) {
        Filter.Builder filter = Filter.builder();
        boolean any = false;
        if (random.nextInt(3) == 0) {
            filter.kinds(List.of(random.nextInt(6), random.nextInt(6)));
            any = true;
        }
        if (random.nextInt(3) == 0) {
            filter.authors(List.of(keys.get(random.nextInt(4)).publicKey()));
            any = true;
        }
        if (random.nextInt(3) == 0 || !any) {
            filter.tag(random.nextBoolean() ? 't' : 'r', List.of("v" + random.nextInt(30), "w" + random.nextInt(30)));
        }
        if (random.nextInt(10) == 0) {
            filter.since(Bench.NOW + random.nextInt(3) - 1);
        }
        return filter.build();
    }

    @Test
    void aFilterThatMatchesNothingIsNotFiled() {
        try (Bench bench = new Bench("LiveIndexTest.nothing")) {
            LiveIndex index = new LiveIndex();
            index.add(new Subscription(
                    new Session(bench.relay, new NoSink(), "", "203.0.113.7"),
                    "a",
                    List.of(Filter.builder().kinds(List.of()).build())));
            assertTrue(index.isEmpty());
        }
    }

    private static final class NoSink implements FrameSink {
        @Override
        public void text(String frame) {}

        @Override
        public void closed(int code, String reason) {}
    }
}
