package im.parley.tck.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.Batch.Item;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.EventStore.Row;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import im.parley.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What every {@link EventStore} does. Extend it in the provider's tests and say how a store is opened. Beyond the words
 * of the API it settles: a tombstone that is new answers {@code STORED} whether or not its target was there, a known one
 * {@code DUPLICATE}; a batch outside 1 to 10,000 items and a scan outside its limits are {@link
 * IllegalArgumentException}s; what a visitor throws reaches the caller and leaves the store usable.
 */
@Timeout(300)
public abstract class EventStoreContract {
    /** Filters compared with the twin in one run; more for a nightly one. */
    private static final int ROUNDS = Integer.getInteger("parley.tck.rounds", 10);

    private static final int FILTERS_PER_ROUND = 200;
    private static final int ITEMS_PER_ROUND = 200;
    private static final long T = 1_700_000_000L;
    private static final PublicKey ALICE = SampleEvents.author(1);
    private static final PublicKey MALLORY = SampleEvents.author(2);
    private static final Filter EVERYTHING = Filter.builder().build();

    private @Nullable EventStore current;

    /** A new, empty store, independent of all others. */
    protected abstract EventStore open() throws Exception;

    /** Closes the store and opens the same data again. A store that keeps nothing returns the same object. */
    protected abstract EventStore reopen(EventStore store) throws Exception;

    /** Closes the store for good. */
    protected abstract void close(EventStore store) throws Exception;

    @BeforeEach
    final void openStore() throws Exception {
        current = open();
    }

    @AfterEach
    final void closeStore() throws Exception {
        if (current != null) {
            close(current);
        }
    }

    private EventStore store() {
        return java.util.Objects.requireNonNull(current);
    }

    private void reopen() throws Exception {
        current = reopen(store());
    }

    private static Item put(Event event) {
        return new Item.Put(event, event.createdAt() * 1000 + 7);
    }

    private static Item bury(EventId target, PublicKey author) {
        return new Item.Bury(new Tombstone(target, author), T * 1000);
    }

    private List<Outcome> commit(Item... items) throws ProviderException {
        return store().commit(new Batch(List.of(items)));
    }

    private List<Event> query(Filter filter) throws ProviderException {
        List<Event> found = new ArrayList<>();
        store().query(filter, found::add);
        return found;
    }

    private List<Row> scanAll() throws ProviderException {
        List<Row> rows = new ArrayList<>();
        long after = 0;
        while (true) {
            List<Row> page = store().scan(after, 97);
            rows.addAll(page);
            if (page.size() < 97) {
                return rows;
            }
            after = page.get(page.size() - 1).position();
        }
    }

    /** Long lists are compared without printing them whole. */
    private static void assertSame(List<Event> expected, List<Event> actual, String what) {
        for (int i = 0; i < Math.min(expected.size(), actual.size()); i++) {
            assertEquals(expected.get(i), actual.get(i), "event " + i + " of " + what);
        }
        assertEquals(expected.size(), actual.size(), "events of " + what);
    }

    private static Event addressed(long createdAt, String identifier, String content) {
        return SampleEvents.event(ALICE, createdAt, 30_023, List.of(List.of("d", identifier)), content);
    }

    /** Same author, kind and second; in order of their ids. */
    private static List<Event> tied(int kind, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> SampleEvents.event(ALICE, T, kind, List.of(), "tie " + i))
                .sorted(Comparator.comparing(Event::id))
                .toList();
    }

    // Storing

    @Test
    void whatIsStoredComesBackEqual() throws Exception {
        List<Event> events = List.of(
                SampleEvents.event(ALICE, 0, 0, List.of(), ""),
                SampleEvents.event(
                        ALICE,
                        T,
                        65_535,
                        List.of(List.of(""), List.of("p"), List.of("e", "", "x"), List.of("long name", "v")),
                        "سلام नमस्ते 🜁🜂 \u2028 \"quoted\" \\ \n\r\t\b\f \u007f é"),
                SampleEvents.event(ALICE, T + 1, 1, List.of(List.of("t", "🜁".repeat(300))), "x".repeat(40_000)),
                SampleEvents.event(ALICE, T + 2, 1, List.of(), "é".repeat(300_000)));
        for (Event event : events) {
            assertEquals(List.of(Outcome.STORED), commit(put(event)));
        }
        for (int i = 0; i < 2; i++) {
            for (Event event : events) {
                assertTrue(store().contains(event.id()));
                assertEquals(
                        List.of(event),
                        query(Filter.builder().ids(List.of(event.id())).build()));
            }
            assertEquals(
                    events,
                    scanAll().stream().map(row -> ((Row.Stored) row).event()).toList());
            assertEquals(T * 1000 + 7, ((Row.Stored) scanAll().get(1)).receivedAtMillis());
            reopen();
        }
        assertEquals(0, store().tampered());
    }

    @Test
    void aKnownEventIsADuplicate() throws Exception {
        Event event = SampleEvents.note(T, "once");
        assertEquals(List.of(Outcome.STORED, Outcome.DUPLICATE), commit(put(event), put(event)));
        reopen();
        assertEquals(List.of(Outcome.DUPLICATE), commit(put(event)));
        assertEquals(List.of(event), query(EVERYTHING));
        assertFalse(store().contains(SampleEvents.note(T, "never").id()));
    }

    @Test
    void aReplaceableEventGivesWayToANewerOne() throws Exception {
        for (int kind : new int[] {0, 3, 10_000, 19_999}) {
            Event old = SampleEvents.event(ALICE, T, kind, List.of(), "old");
            Event newer = SampleEvents.event(ALICE, T + 1, kind, List.of(List.of("d", "ignored")), "new");
            Event others = SampleEvents.event(MALLORY, T, kind, List.of(), "others");
            assertEquals(
                    List.of(Outcome.STORED, Outcome.STORED, Outcome.STORED), commit(put(old), put(others), put(newer)));
            assertEquals(List.of(Outcome.SUPERSEDED), commit(put(old)));
            assertFalse(store().contains(old.id()));
            assertEquals(
                    List.of(newer, others),
                    query(Filter.builder().kinds(List.of(kind)).build()));
        }
    }

    @Test
    void anAddressableEventGivesWayWithinItsIdentifier() throws Exception {
        Event a = addressed(T, "a", "1");
        Event b = addressed(T, "b", "2");
        Event newer = addressed(T + 1, "a", "3");
        Event without = SampleEvents.event(ALICE, T, 30_023, List.of(), "4");
        Event empty = addressed(T + 2, "", "5");
        Event secondIsIgnored =
                SampleEvents.event(ALICE, T + 3, 30_023, List.of(List.of("d", "b"), List.of("d", "a")), "6");
        assertEquals(
                List.of(Outcome.STORED, Outcome.STORED, Outcome.STORED, Outcome.SUPERSEDED),
                commit(put(a), put(b), put(newer), put(addressed(T, "a", "7"))));
        assertEquals(List.of(Outcome.STORED, Outcome.STORED), commit(put(without), put(empty)));
        assertEquals(List.of(Outcome.STORED), commit(put(secondIsIgnored)));
        assertEquals(List.of(secondIsIgnored, empty, newer), query(EVERYTHING));
    }

    @Test
    void ofEquallyOldVersionsTheLowestIdStays() throws Exception {
        for (int kind : new int[] {0, 30_000}) {
            List<Event> versions = tied(kind, 3);
            assertEquals(List.of(Outcome.STORED), commit(put(versions.get(1))));
            assertEquals(List.of(Outcome.SUPERSEDED), commit(put(versions.get(2))));
            assertEquals(List.of(Outcome.STORED), commit(put(versions.get(0))));
            assertEquals(List.of(Outcome.SUPERSEDED), commit(put(versions.get(1))));
            assertEquals(
                    List.of(versions.get(0)),
                    query(Filter.builder().kinds(List.of(kind)).build()));
        }
    }

    @Test
    void otherKindsAreNeverReplaced() throws Exception {
        for (int kind : new int[] {1, 2, 4, 44, 45, 999, 1059, 9_999, 20_000, 29_999, 40_000, 65_535}) {
            Event first = SampleEvents.event(ALICE, T, kind, List.of(List.of("d", "x")), "1");
            Event second = SampleEvents.event(ALICE, T + 1, kind, List.of(List.of("d", "x")), "2");
            assertEquals(List.of(Outcome.STORED, Outcome.STORED), commit(put(first), put(second)));
            assertEquals(
                    List.of(second, first),
                    query(Filter.builder().kinds(List.of(kind)).build()));
        }
    }

    @Test
    void aRemovedEventMayReturn() throws Exception {
        Event event = SampleEvents.event(ALICE, T, 1, List.of(List.of("t", "x")), "back");
        assertEquals(
                List.of(Outcome.ABSENT, Outcome.STORED, Outcome.REMOVED, Outcome.ABSENT),
                commit(
                        new Item.Remove(event.id()),
                        put(event),
                        new Item.Remove(event.id()),
                        new Item.Remove(event.id())));
        assertTrue(query(EVERYTHING).isEmpty());
        assertTrue(scanAll().isEmpty());
        assertEquals(List.of(Outcome.STORED), commit(put(event)));
        assertEquals(
                List.of(event), query(Filter.builder().tag('t', List.of("x")).build()));
    }

    @Test
    void afterARemovedReplaceableAnOlderOneIsWelcome() throws Exception {
        Event old = SampleEvents.event(ALICE, T, 0, List.of(), "old");
        Event newer = SampleEvents.event(ALICE, T + 1, 0, List.of(), "new");
        commit(put(newer), new Item.Remove(newer.id()));
        assertEquals(List.of(Outcome.STORED), commit(put(old)));
    }

    @Test
    void aTombstoneRemovesAndForbids() throws Exception {
        Event event = SampleEvents.event(ALICE, T, 1, List.of(), "gone");
        assertEquals(List.of(Outcome.STORED, Outcome.STORED), commit(put(event), bury(event.id(), ALICE)));
        assertFalse(store().contains(event.id()));
        assertEquals(List.of(Outcome.DELETED, Outcome.DUPLICATE), commit(put(event), bury(event.id(), ALICE)));
        reopen();
        assertEquals(List.of(Outcome.DELETED), commit(put(event)));
        assertTrue(query(EVERYTHING).isEmpty());
        assertEquals(
                List.of(new Tombstone(event.id(), ALICE)),
                scanAll().stream().map(row -> ((Row.Deleted) row).tombstone()).toList());
    }

    @Test
    void aTombstoneForbidsWhatWasNeverSeen() throws Exception {
        Event event = SampleEvents.event(ALICE, T, 30_023, List.of(List.of("d", "x")), "early");
        assertEquals(List.of(Outcome.STORED, Outcome.DELETED), commit(bury(event.id(), ALICE), put(event)));
        reopen();
        assertEquals(List.of(Outcome.DELETED), commit(put(event)));
        assertEquals(List.of(Outcome.STORED), commit(put(addressed(T - 1, "x", "another version"))));
    }

    @Test
    void aTombstoneOfAnotherAuthorDoesNothing() throws Exception {
        Event event = SampleEvents.event(ALICE, T, 1, List.of(), "stays");
        assertEquals(
                List.of(Outcome.STORED, Outcome.STORED, Outcome.STORED),
                commit(bury(event.id(), MALLORY), put(event), bury(event.id(), SampleEvents.author(3))));
        assertEquals(List.of(event), query(EVERYTHING));
        assertEquals(List.of(Outcome.STORED), commit(bury(event.id(), ALICE)));
        assertTrue(query(EVERYTHING).isEmpty());
    }

    @Test
    void aWrapIsDeletedByTheOneItIsAddressedToOrItsOwnKeyAndNobodyElse() throws Exception {
        List<List<String>> toAlice = List.of(List.of("p", ALICE.hex()));
        Event one = SampleEvents.event(SampleEvents.author(7), T, 1059, toAlice, "one");
        Event two = SampleEvents.event(SampleEvents.author(8), T, 1059, toAlice, "two");
        Event note = SampleEvents.event(SampleEvents.author(9), T, 1, toAlice, "a note that names her");
        commit(put(one), put(two), put(note), bury(one.id(), MALLORY), bury(note.id(), ALICE));
        assertEquals(3, query(EVERYTHING).size());
        commit(bury(one.id(), ALICE), bury(two.id(), two.pubkey()));
        assertEquals(List.of(note), query(EVERYTHING));
        reopen();
        assertEquals(List.of(Outcome.DELETED, Outcome.DELETED), commit(put(one), put(two)));
        Event later = SampleEvents.event(SampleEvents.author(7), T, 1059, toAlice, "later");
        assertEquals(
                List.of(Outcome.STORED, Outcome.STORED, Outcome.DELETED),
                commit(bury(later.id(), MALLORY), bury(later.id(), ALICE), put(later)));
    }

    @Test
    void requestsToDeleteAndToVanishCannotBeDeleted() throws Exception {
        for (int kind : new int[] {5, 62}) {
            Event request = SampleEvents.event(ALICE, T, kind, List.of(), "kind " + kind);
            assertEquals(
                    List.of(Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE),
                    commit(bury(request.id(), ALICE), put(request), bury(request.id(), ALICE)));
            assertTrue(store().contains(request.id()));
        }
        assertEquals(2, query(EVERYTHING).size());
    }

    @Test
    void itemsOfABatchSeeTheOnesBefore() throws Exception {
        Event old = SampleEvents.event(ALICE, T, 0, List.of(), "old");
        Event newer = SampleEvents.event(ALICE, T + 1, 0, List.of(), "new");
        assertEquals(
                List.of(
                        Outcome.STORED,
                        Outcome.STORED,
                        Outcome.ABSENT,
                        Outcome.STORED,
                        Outcome.DELETED,
                        Outcome.STORED,
                        Outcome.REMOVED),
                commit(
                        put(old),
                        put(newer),
                        new Item.Remove(old.id()),
                        bury(newer.id(), ALICE),
                        put(newer),
                        put(old),
                        new Item.Remove(old.id())));
        assertTrue(query(EVERYTHING).isEmpty());
    }

    @Test
    void aBatchHasOneToTenThousandItems() throws Exception {
        Event[] events = IntStream.range(0, 10_001)
                .mapToObj(i -> SampleEvents.note(T + i, "n" + i))
                .toArray(Event[]::new);
        Item[] items = Arrays.stream(events).map(EventStoreContract::put).toArray(Item[]::new);
        assertThrows(IllegalArgumentException.class, () -> commit());
        assertThrows(IllegalArgumentException.class, () -> commit(items));
        assertTrue(query(EVERYTHING).isEmpty());
        assertEquals(Collections.nCopies(10_000, Outcome.STORED), commit(Arrays.copyOf(items, 10_000)));
        AtomicInteger seen = new AtomicInteger();
        store().query(EVERYTHING, event -> event.equals(events[9_999 - seen.getAndIncrement()]));
        assertEquals(10_000, seen.get());
    }

    // Querying

    @Test
    void newestFirstAndTiesByLowestId() throws Exception {
        List<Event> ties = tied(1, 300);
        Event newest = SampleEvents.note(T + 1, "newest");
        Event oldest = SampleEvents.note(T - 1, "oldest");
        List<Event> shuffled = new ArrayList<>(ties);
        Collections.shuffle(shuffled, new java.util.Random(7));
        shuffled.add(0, oldest);
        shuffled.add(newest);
        commit(shuffled.stream().map(EventStoreContract::put).toArray(Item[]::new));
        List<Event> expected = new ArrayList<>(ties);
        expected.add(0, newest);
        expected.add(oldest);
        assertSame(expected, query(EVERYTHING), "everything");
        assertSame(expected, query(Filter.builder().kinds(List.of(1, 2)).build()), "kinds");
        assertSame(ties, query(Filter.builder().authors(List.of(ALICE, MALLORY)).build()), "authors");
    }

    @Test
    void limitCountsWhatIsShown() throws Exception {
        for (int i = 0; i < 5; i++) {
            commit(put(SampleEvents.note(T + i, "n" + i)));
        }
        for (int limit = 0; limit < 7; limit++) {
            assertEquals(
                    Math.min(limit, 5),
                    query(Filter.builder().limit(limit).build()).size());
        }
        assertEquals(T + 4, query(Filter.builder().limit(1).build()).get(0).createdAt());
    }

    @Test
    void pagesBehindAPlaceAddUpToTheWholeAndLeaveOutWhatIsNotWanted() throws Exception {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            // Three of four share one second, so that pages begin and end inside it.
            long createdAt = i % 4 == 0 ? T + i : T;
            events.add(SampleEvents.event(
                    i % 2 == 0 ? ALICE : MALLORY, createdAt, 1 << i % 3, List.of(List.of("t", "v" + i % 5)), "n" + i));
        }
        commit(events.stream().map(EventStoreContract::put).toArray(Item[]::new));
        List<Filter> filters = List.of(
                EVERYTHING,
                Filter.builder().kinds(List.of(1, 2)).build(),
                Filter.builder().authors(List.of(ALICE)).until(T + 100).build(),
                Filter.builder().tag('t', List.of("v1", "v3")).since(T).build(),
                Filter.builder()
                        .ids(events.subList(10, 90).stream().map(Event::id).toList())
                        .build());
        for (Filter filter : filters) {
            for (int limit : new int[] {1, 7, 64, 1_000}) {
                assertSame(query(filter), pages(filter, limit, Set.of()), filter + " by " + limit);
                List<Event> withoutTwo = query(filter).stream()
                        .filter(event -> event.kind() != 2)
                        .toList();
                assertSame(withoutTwo, pages(filter, limit, Set.of(2)), filter + " without kind 2 by " + limit);
            }
        }
        AtomicInteger visited = new AtomicInteger();
        store().query(
                        Filter.builder().limit(9).build(),
                        null,
                        (place, kind) -> false,
                        event -> visited.incrementAndGet() > 0);
        assertEquals(0, visited.get(), "what is left out is not visited");
    }

    private List<Event> pages(Filter filter, int limit, Set<Integer> leftOut) throws ProviderException {
        List<Event> all = new ArrayList<>();
        Filter page = filter.toBuilder().limit(limit).build();
        EventStore.@Nullable Place[] reached = new EventStore.Place[1];
        int[] counted = new int[1];
        do {
            counted[0] = 0;
            store().query(
                            page,
                            reached[0],
                            (place, kind) -> {
                                if (!leftOut.contains(kind)) {
                                    return true;
                                }
                                reached[0] = place;
                                counted[0]++;
                                return false;
                            },
                            event -> {
                                EventStore.Place place = EventStore.Place.of(event);
                                EventStore.Place before = reached[0];
                                reached[0] = before == null || before.compareTo(place) < 0 ? place : before;
                                counted[0]++;
                                all.add(event);
                                return true;
                            });
            assertTrue(counted[0] <= limit, "the limit counts both");
        } while (counted[0] == limit);
        return all;
    }

    @Test
    void sinceAndUntilAreInclusive() throws Exception {
        for (int i = 0; i < 5; i++) {
            commit(put(SampleEvents.note(T + i, "n" + i)));
        }
        assertEquals(
                List.of(T + 3, T + 2, T + 1),
                query(Filter.builder().since(T + 1).until(T + 3).build()).stream()
                        .map(Event::createdAt)
                        .toList());
        assertEquals(
                5,
                query(Filter.builder().since(-5).until(Long.MAX_VALUE).build()).size());
        assertEquals(5, query(Filter.builder().since(0).build()).size());
        assertTrue(query(Filter.builder().since(T + 3).until(T + 2).build()).isEmpty());
        assertTrue(query(Filter.builder().until(-1).build()).isEmpty());
        assertTrue(query(Filter.builder().since(Long.MAX_VALUE).build()).isEmpty());
    }

    @Test
    void onlyTheFirstValueOfATagCountsAndCaseMatters() throws Exception {
        Event event = SampleEvents.event(
                ALICE,
                T,
                1,
                List.of(List.of("e", "first", "second"), List.of("T", "Upper"), List.of("p"), List.of("name", "x")),
                "tagged");
        commit(put(event));
        List<Event> found = List.of(event);
        assertEquals(found, query(Filter.builder().tag('e', List.of("first")).build()));
        assertEquals(
                found, query(Filter.builder().tag('e', List.of("no", "first")).build()));
        assertEquals(found, query(Filter.builder().tag('T', List.of("Upper")).build()));
        assertEquals(
                found,
                query(Filter.builder()
                        .tag('T', List.of("Upper"))
                        .tag('e', List.of("first"))
                        .build()));
        assertEquals(
                List.of(), query(Filter.builder().tag('e', List.of("second")).build()));
        assertEquals(
                List.of(), query(Filter.builder().tag('E', List.of("first")).build()));
        assertEquals(
                List.of(), query(Filter.builder().tag('t', List.of("Upper")).build()));
        assertEquals(
                List.of(), query(Filter.builder().tag('T', List.of("upper")).build()));
        assertEquals(List.of(), query(Filter.builder().tag('p', List.of("")).build()));
        assertEquals(List.of(), query(Filter.builder().tag('n', List.of("x")).build()));
        assertEquals(
                List.of(),
                query(Filter.builder()
                        .tag('T', List.of("first"))
                        .tag('e', List.of("first"))
                        .build()));
    }

    @Test
    void anEventThatMatchesInManyWaysComesOnce() throws Exception {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            events.add(
                    0,
                    SampleEvents.event(
                            ALICE,
                            T + i,
                            1,
                            List.of(List.of("t", "a"), List.of("t", "b"), List.of("t", "a")),
                            "n" + i));
        }
        commit(events.stream().map(EventStoreContract::put).toArray(Item[]::new));
        assertEquals(
                events, query(Filter.builder().tag('t', List.of("a", "b", "c")).build()));
        assertEquals(
                events.subList(0, 25),
                query(Filter.builder().tag('t', List.of("a", "b")).limit(25).build()));
    }

    @Test
    void anEmptySetMatchesNothing() throws Exception {
        commit(put(SampleEvents.event(ALICE, T, 1, List.of(List.of("t", "x")), "here")));
        assertTrue(query(Filter.builder().ids(List.of()).build()).isEmpty());
        assertTrue(query(Filter.builder().authors(List.of()).build()).isEmpty());
        assertTrue(query(Filter.builder().kinds(List.of()).build()).isEmpty());
        assertTrue(query(Filter.builder().tag('t', List.of()).build()).isEmpty());
        assertTrue(query(Filter.builder().kinds(List.of(1)).tag('t', List.of()).build())
                .isEmpty());
        assertEquals(1, query(EVERYTHING).size());
    }

    @Test
    void conditionsAreAnded() throws Exception {
        Event event = SampleEvents.event(ALICE, T, 1, List.of(List.of("t", "x")), "one");
        commit(put(event), put(SampleEvents.event(MALLORY, T, 1, List.of(List.of("t", "x")), "two")));
        Filter.Builder all = Filter.builder()
                .ids(List.of(event.id()))
                .authors(List.of(ALICE))
                .kinds(List.of(1))
                .tag('t', List.of("x"))
                .since(T)
                .until(T);
        assertEquals(List.of(event), query(all.build()));
        assertTrue(query(all.build().toBuilder().since(T + 1).build()).isEmpty());
        assertTrue(query(Filter.builder()
                        .ids(List.of(event.id()))
                        .authors(List.of(MALLORY))
                        .build())
                .isEmpty());
        assertTrue(query(Filter.builder()
                        .ids(List.of(event.id()))
                        .kinds(List.of(2))
                        .build())
                .isEmpty());
    }

    @Test
    void manyAuthorsKindsAndIdsAreMerged() throws Exception {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            events.add(0, SampleEvents.event(SampleEvents.author(i % 80), T + i, 41 + i % 5, List.of(), "n" + i));
        }
        commit(events.stream().map(EventStoreContract::put).toArray(Item[]::new));
        List<PublicKey> authors =
                IntStream.range(0, 100).mapToObj(SampleEvents::author).toList();
        List<Integer> few = IntStream.range(20, 60).boxed().toList();
        List<Integer> many = IntStream.range(0, 3_000).boxed().toList();
        List<EventId> ids = events.stream().map(Event::id).toList();
        assertSame(events, query(Filter.builder().authors(authors).build()), "many authors");
        assertSame(events, query(Filter.builder().authors(authors).kinds(few).build()), "authors and kinds");
        assertSame(events, query(Filter.builder().authors(authors).kinds(many).build()), "authors and many kinds");
        assertSame(events, query(Filter.builder().kinds(few).build()), "kinds");
        assertSame(events, query(Filter.builder().kinds(many).build()), "many kinds");
        assertSame(
                events.subList(0, 123),
                query(Filter.builder().ids(ids).limit(123).build()),
                "many ids");
    }

    @Test
    void theVisitorStopsTheQuery() throws Exception {
        for (int i = 0; i < 5; i++) {
            commit(put(SampleEvents.note(T + i, "n" + i)));
        }
        List<Event> seen = new ArrayList<>();
        store().query(EVERYTHING, event -> {
            seen.add(event);
            return seen.size() < 2;
        });
        assertEquals(2, seen.size());
        IllegalStateException thrown = new IllegalStateException("the visitor's own");
        assertEquals(
                thrown,
                assertThrows(
                        IllegalStateException.class,
                        () -> store().query(EVERYTHING, event -> {
                            throw thrown;
                        })));
        assertEquals(5, query(EVERYTHING).size());
    }

    @Test
    void aQueryShowsOneMoment() throws Exception {
        List<Event> before = new ArrayList<>();
        List<Item> puts = new ArrayList<>();
        for (int i = 0; i < 1_500; i++) {
            int kind = i % 3 == 0 ? 30_000 : 1;
            before.add(
                    0,
                    SampleEvents.event(
                            ALICE, T + i, kind, List.of(List.of("d", "" + i), List.of("t", "x")), "before " + i));
            puts.add(put(before.get(0)));
        }
        store().commit(new Batch(puts));
        List<Item> changes = new ArrayList<>();
        for (int i = 0; i < 1_500; i += 3) {
            changes.add(put(SampleEvents.event(
                    ALICE, T + i + 1, 30_000, List.of(List.of("d", "" + i), List.of("t", "x")), "after")));
            Event note = before.get(1_500 - 1 - (i + 1));
            changes.add(i % 2 == 0 ? new Item.Remove(note.id()) : bury(note.id(), ALICE));
            changes.add(put(SampleEvents.event(ALICE, T + i, 1, List.of(List.of("t", "x")), "late " + i)));
        }
        Set<EventId> ids = new HashSet<>();
        before.forEach(event -> ids.add(event.id()));
        List<Filter> filters = List.of(
                EVERYTHING,
                Filter.builder().tag('t', List.of("x", "y")).build(),
                Filter.builder().ids(ids).build());
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            List<Event> expected = before;
            for (Filter filter : filters) {
                List<Event> seen = new ArrayList<>();
                int third = changes.size() / filters.size();
                List<Item> part = new ArrayList<>(changes.subList(0, third));
                changes.subList(0, third).clear();
                store().query(filter, event -> {
                    if (seen.isEmpty()) {
                        waitBriefly(other.submit(() -> store().commit(new Batch(part))));
                    }
                    return seen.add(event);
                });
                assertSame(expected, seen, filter.toString());
                other.submit(() -> {}).get();
                List<Event> now = query(EVERYTHING);
                expected = filter == filters.get(0)
                        ? now
                        : now.stream().filter(event -> ids.contains(event.id())).toList();
            }
        } finally {
            other.shutdownNow();
        }
    }

    /** A store may also hold back commits while a query runs, so waiting for the commit is given up after a while. */
    private static void waitBriefly(Future<?> commit) {
        try {
            commit.get(2, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            return;
        } catch (Exception e) {
            throw new AssertionError("the commit failed", e);
        }
    }

    // Scanning

    @Test
    void positionsGrowAndAreNeverUsedAgain() throws Exception {
        Event first = SampleEvents.note(T, "first");
        Event second = SampleEvents.note(T - 1, "second");
        Event last = SampleEvents.note(T + 1, "last");
        commit(put(first), put(second), bury(first.id(), MALLORY), put(last));
        List<Row> rows = scanAll();
        assertEquals(4, rows.size());
        assertTrue(rows.get(0).position() > 0);
        for (int i = 1; i < 4; i++) {
            assertTrue(rows.get(i).position() > rows.get(i - 1).position());
        }
        assertEquals(rows.subList(1, 4), store().scan(rows.get(0).position(), 10));
        assertEquals(rows.subList(1, 3), store().scan(rows.get(0).position(), 2));
        assertEquals(List.of(), store().scan(rows.get(3).position(), 10));
        commit(new Item.Remove(last.id()));
        reopen();
        assertEquals(rows.subList(0, 3), scanAll());
        commit(put(last));
        assertEquals(rows.subList(0, 3), scanAll().subList(0, 3));
        assertTrue(scanAll().get(3).position() > rows.get(3).position(), "the position of a removed row came back");
    }

    @Test
    void aScanTakesOneToTenThousandRows() throws Exception {
        commit(put(SampleEvents.note(T, "here")));
        assertThrows(IllegalArgumentException.class, () -> store().scan(0, 0));
        assertThrows(IllegalArgumentException.class, () -> store().scan(0, 10_001));
        assertThrows(IllegalArgumentException.class, () -> store().scan(-1, 1));
        assertEquals(1, store().scan(0, 10_000).size());
    }

    // Concurrency

    @Test
    void ofManyWritersOfOneEventOneStoresIt() throws Exception {
        List<Event> events = IntStream.range(0, 40)
                .mapToObj(i -> SampleEvents.event(ALICE, T + i % 7, i % 2 == 0 ? 1 : 0, List.of(), "shared " + i))
                .toList();
        Map<Outcome, Integer> outcomes = new EnumMap<>(Outcome.class);
        for (List<Outcome> result : inParallel(8, thread -> {
            List<Outcome> own = new ArrayList<>();
            for (Event event : events) {
                own.addAll(commit(put(event)));
            }
            return own;
        })) {
            result.forEach(outcome -> outcomes.merge(outcome, 1, Integer::sum));
        }
        List<Event> left = query(EVERYTHING);
        Event best = events.stream()
                .filter(event -> event.kind() == 0)
                .min(Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id))
                .orElseThrow();
        assertEquals(20, left.stream().filter(event -> event.kind() == 1).count());
        assertEquals(
                List.of(best), left.stream().filter(event -> event.kind() == 0).toList());
        int stored = outcomes.getOrDefault(Outcome.STORED, 0);
        assertTrue(stored >= 21 && stored <= 40, outcomes.toString());
        assertEquals(
                8 * 40, outcomes.values().stream().mapToInt(Integer::intValue).sum());
    }

    @Test
    void nobodySeesHalfABatch() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        List<String> problems = Collections.synchronizedList(new ArrayList<>());
        inParallel(6, thread -> {
            if (thread < 4) {
                for (int i = 0; i < 40; i++) {
                    Event left = SampleEvents.event(ALICE, T + i, 1, List.of(List.of("t", "pair")), thread + "l" + i);
                    Event right =
                            SampleEvents.event(MALLORY, T - i, 7, List.of(List.of("t", "pair")), thread + "r" + i);
                    commit(put(left), put(right));
                    if (i % 2 == 0) {
                        commit(new Item.Remove(left.id()), bury(right.id(), MALLORY));
                    }
                }
                done.set(true);
                return true;
            }
            do {
                Filter filter = thread == 4
                        ? Filter.builder().tag('t', List.of("pair")).build()
                        : Filter.builder().kinds(List.of(1, 7)).build();
                List<Event> seen = query(filter);
                long lefts = seen.stream().filter(event -> event.kind() == 1).count();
                if (lefts * 2 != seen.size()) {
                    problems.add(lefts + " of " + seen.size());
                }
            } while (!done.get());
            return true;
        });
        assertEquals(List.of(), problems);
        assertEquals(4 * 20 * 2, query(EVERYTHING).size());
    }

    private static <T> List<T> inParallel(int threads, Job<T> job) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            CyclicBarrier start = new CyclicBarrier(threads);
            List<Callable<T>> tasks = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int thread = i;
                tasks.add(() -> {
                    start.await(10, TimeUnit.SECONDS);
                    return job.run(thread);
                });
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : pool.invokeAll(tasks)) {
                results.add(future.get());
            }
            return results;
        } finally {
            pool.shutdownNow();
        }
    }

    private interface Job<T> {
        T run(int thread) throws Exception;
    }

    // The twin

    @Test
    void theStoreAgreesWithItsTwin() throws Exception {
        RandomGenerator random = Seeds.generator("EventStoreContract twin");
        SampleEvents samples = new SampleEvents(random);
        DumbEventStore twin = new DumbEventStore();
        List<Event> drawn = new ArrayList<>();
        int filters = 0;
        int shown = 0;
        for (int round = 0; round < ROUNDS; round++) {
            int items = 0;
            while (items < ITEMS_PER_ROUND) {
                List<Item> batch = new ArrayList<>();
                int size = 1 + random.nextInt(12);
                for (int i = 0; i < size; i++) {
                    batch.add(item(random, samples, drawn));
                }
                items += size;
                assertEquals(twin.commit(new Batch(batch)), store().commit(new Batch(batch)));
            }
            if (round % 4 == 1) {
                reopen();
            }
            assertEquals(contents(twin.scan()), contents(scanAll()));
            for (int i = 0; i < FILTERS_PER_ROUND; i++) {
                Filter filter = samples.filter(twin.events());
                List<Event> expected = twin.query(filter);
                assertSame(expected, query(filter), filter + " " + filter.tags());
                filters++;
                shown += expected.size();
            }
        }
        System.out.println("twin: " + filters + " filters, " + shown + " events shown");
        assertTrue(shown > filters, "the pools do not produce matches");
        assertEquals(0, store().tampered());
    }

    private static Item item(RandomGenerator random, SampleEvents samples, List<Event> drawn) {
        Event known = drawn.isEmpty() ? samples.event() : drawn.get(random.nextInt(drawn.size()));
        switch (random.nextInt(10)) {
            case 0:
                return new Item.Remove(known.id());
            case 1:
                PublicKey author = random.nextInt(3) == 0 ? MALLORY : known.pubkey();
                return new Item.Bury(new Tombstone(known.id(), author), random.nextLong(1L << 41));
            case 2:
                return new Item.Put(known, random.nextLong(1L << 41));
            default:
                Event event = samples.event();
                drawn.add(event);
                return new Item.Put(event, random.nextLong(1L << 41));
        }
    }

    /** Rows without their positions, which a store chooses itself. */
    private static List<Row> contents(List<Row> rows) {
        List<Row> contents = new ArrayList<>();
        for (Row row : rows) {
            if (row instanceof Row.Stored stored) {
                contents.add(new Row.Stored(0, stored.receivedAtMillis(), stored.event()));
            } else if (row instanceof Row.Deleted deleted) {
                contents.add(new Row.Deleted(0, deleted.receivedAtMillis(), deleted.tombstone()));
            }
        }
        return contents;
    }
}
