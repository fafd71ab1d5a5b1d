package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.policy.Client;
import im.parley.api.policy.EventPolicy;
import im.parley.api.policy.QueryPolicy;
import im.parley.api.policy.Verdict;
import im.parley.protocol.Frames;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class PoliciesTest {
    private static final String FAILED = "error: policy.failed a rule of this relay cannot be checked, try again later";

    private final Bench bench =
            new Bench("PoliciesTest", Map.of("policies", new String[] {"policy.first", "policy.second"}));
    private final TestSlot<Object> first = new TestSlot<>("policy.first", (EventPolicy) (e, c) -> Verdict.accept());
    private final TestSlot<Object> second = new TestSlot<>("policy.second", (EventPolicy) (e, c) -> Verdict.accept());

    @AfterEach
    void close() {
        bench.close();
    }

    private void bindBoth() {
        bench.relay.bindPolicy(first);
        bench.relay.bindPolicy(second);
    }

    @ParameterizedTest
    @EnumSource(Verdict.Prefix.class)
    void aRefusalReachesTheClientWithItsPrefix(Verdict.Prefix prefix) {
        bindBoth();
        second.put(new Both(Verdict.refuse(prefix, "not here")));
        TestClient client = bench.client();
        assertEquals("false " + prefix.wire() + ": not here", client.publish(bench.note(bench.key(), "hi")));
        assertEquals(prefix.wire() + ": not here", client.ask("s", "{}").how());
        assertEquals(prefix.wire() + ": not here", count(client));
        assertEquals(0, bench.store.size());
    }

    @Test
    void policiesAreAskedInOrderAndTheFirstRefusalEndsIt() {
        bindBoth();
        List<String> asked = new ArrayList<>();
        first.put((EventPolicy) (event, client) -> {
            asked.add("first");
            return event.content().equals("no") ? Verdict.refuse(Verdict.Prefix.BLOCKED, "no") : Verdict.accept();
        });
        second.put((EventPolicy) (event, client) -> {
            asked.add("second");
            return Verdict.accept();
        });
        TestClient client = bench.client();
        assertEquals("true ", client.publish(bench.note(bench.key(), "yes")));
        assertEquals("false blocked: no", client.publish(bench.note(bench.key(), "no")));
        assertEquals(List.of("first", "second", "first"), asked);
    }

    @Test
    void aRequiredPolicyThatIsMissingRefusesEverythingUntilItIsThere() {
        TestClient client = bench.client();
        TestClient own = bench.localClient();
        Event note = bench.note(bench.key(), "hi");
        assertEquals("false " + FAILED, client.publish(note));
        assertEquals("false " + FAILED, own.publish(note));
        assertEquals(FAILED, client.ask("s", "{}").how());
        assertEquals(FAILED, count(client));

        bench.relay.bindPolicy(first);
        assertEquals("false " + FAILED, client.publish(note));
        bench.relay.bindPolicy(second);
        assertEquals("true ", client.publish(note));
        assertEquals("EOSE", client.ask("s", "{}").how());

        bench.relay.unbindPolicy(second);
        assertEquals("false " + FAILED, client.publish(bench.note(bench.key(), "again")));
        assertEquals(1, bench.store.size());
    }

    @Test
    void PL_17_aPolicyThatHangsKeepsNobodyElseWaiting() throws Exception {
        bindBoth();
        CountDownLatch stuck = new CountDownLatch(1);
        second.put((EventPolicy) (event, client) -> {
            try {
                stuck.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return Verdict.accept();
        });
        List<Future<String>> waiting = new ArrayList<>();
        ExecutorService clients = Executors.newCachedThreadPool();
        try {
            for (int i = 0; i < 8; i++) {
                Event note = bench.note(bench.key(), "stuck " + i);
                TestClient client = bench.client();
                waiting.add(clients.submit(() -> client.publish(note)));
            }
            Await.until("it holds all that it may", () -> second.inFlight() == 2);
            TestClient other = bench.client();
            Event note = bench.note(bench.key(), "hi");
            Await.until("nobody waits for it any more", () -> {
                long began = System.nanoTime();
                assertEquals("false " + FAILED, other.publish(note));
                assertEquals(FAILED, other.ask("s", "{}").how());
                return System.nanoTime() - began < 200_000_000L;
            });
            assertEquals(2, second.inFlight(), "it holds half of the threads at most");
        } finally {
            stuck.countDown();
            clients.shutdown();
        }
        int accepted = 0;
        for (Future<String> each : waiting) {
            String answer = each.get(10, TimeUnit.SECONDS);
            assertTrue(answer.equals("true ") || answer.equals("false " + FAILED), answer);
            accepted += answer.equals("true ") ? 1 : 0;
        }
        assertEquals(accepted, bench.store.size());
        TestClient client = bench.client();
        Await.until("it is asked again", () -> second.inFlight() == 0);
        assertEquals("true ", client.publish(bench.note(bench.key(), "again")));
    }

    static Stream<Object> failures() {
        return Stream.of(
                (EventPolicy) (e, c) -> {
                    throw new ProviderException(Kind.UNAVAILABLE, "policy.asleep", "no");
                },
                (EventPolicy) (e, c) -> {
                    throw new IllegalStateException("bug");
                },
                (EventPolicy) (e, c) -> {
                    throw new NoClassDefFoundError("gone");
                },
                (EventPolicy) (e, c) -> nothing(),
                "not a policy at all");
    }

    @SuppressWarnings("NullAway") // What a plugin may do in spite of the contract.
    private static Verdict nothing() {
        return (Verdict) (@Nullable Object) null;
    }

    @ParameterizedTest
    @MethodSource("failures")
    void aPolicyThatFailsRefusesAndTheConnectionLives(Object failing) {
        bindBoth();
        TestClient client = bench.client();
        second.put(failing);
        assertEquals("false " + FAILED, client.publish(bench.note(bench.key(), "hi")));
        second.put(null);
        assertEquals("false " + FAILED, client.publish(bench.note(bench.key(), "hi")));
        second.put((EventPolicy) (e, c) -> Verdict.accept());
        assertEquals("true ", client.publish(bench.note(bench.key(), "hi")));
        assertTrue(bench.relay.drops().getOrDefault("error.policy.failed", 0L) >= 2);
    }

    @Test
    void aPolicyForQueriesLetsEventsPassAndTheOtherWayRound() {
        bindBoth();
        second.put((QueryPolicy) (f, c) -> Verdict.refuse(Verdict.Prefix.RESTRICTED, "no queries"));
        TestClient client = bench.client();
        assertEquals("true ", client.publish(bench.note(bench.key(), "hi")));
        assertEquals("restricted: no queries", client.ask("s", "{}").how());
    }

    @Test
    void aPolicyLearnsWhoAsksAndWhat() {
        bindBoth();
        List<Client> clients = new ArrayList<>();
        List<List<Filter>> asked = new ArrayList<>();
        second.put((QueryPolicy) (filters, client) -> {
            clients.add(client);
            asked.add(filters);
            return Verdict.accept();
        });
        TestKey key = bench.key();
        bench.client(key).ask("s", "{\"kinds\":[1]}", "{\"kinds\":[2]}");
        bench.localClient().ask("s", "{}");
        assertEquals(
                List.of(new Client("203.0.113.7", Set.of(key.publicKey()), false), new Client("local", Set.of(), true)),
                clients);
        assertEquals(2, asked.get(0).size());
    }

    @Test
    void anEventWithAWrongIdReachesNoPolicyAndOneWithAWrongSignatureIsRefusedLater() {
        bindBoth();
        List<Event> asked = new ArrayList<>();
        first.put((EventPolicy) (event, client) -> {
            asked.add(event);
            return Verdict.accept();
        });
        TestClient client = bench.client();
        Event note = bench.note(bench.key(), "hi");
        client.answer(note, Frames.publish(note).replace("\"hi\"", "\"ho\""));
        assertEquals(List.of(), asked);
    }

    @Test
    void aProofOfAKeyIsNotAskedFor() {
        bindBoth();
        first.put(new Both(Verdict.refuse(Verdict.Prefix.AUTH_REQUIRED, "who are you")));
        TestClient client = bench.client(bench.key());
        assertEquals("auth-required: who are you", client.ask("s", "{}").how());
    }

    @Test
    void namesThatAreNoPolicySlotsAreRefused() {
        for (String[] bad :
                new String[][] {{"limits"}, {"policy."}, {"policy.A"}, {"policy.a", "policy.a"}, {"storage.events"}}) {
            IllegalArgumentException e = assertThrows(
                    IllegalArgumentException.class,
                    () -> RelaySettings.of(Bench.configuration(Map.of("policies", bad))));
            assertTrue(e.toString().contains("im.parley.relay: policies is '"), e.toString());
        }
    }

    @Test
    void aReasonIsOneShortLine() {
        assertThrows(IllegalArgumentException.class, () -> Verdict.refuse(Verdict.Prefix.BLOCKED, ""));
        assertThrows(IllegalArgumentException.class, () -> Verdict.refuse(Verdict.Prefix.BLOCKED, "a\nb"));
        assertThrows(IllegalArgumentException.class, () -> Verdict.refuse(Verdict.Prefix.BLOCKED, "x".repeat(201)));
        assertThrows(IllegalArgumentException.class, () -> new Verdict(null, "why"));
    }

    private static String count(TestClient client) {
        var unused = client.send("[\"COUNT\",\"c\",{}]");
        return client.await(
                        RelayFrame.Closed.class, closed -> closed.subscription().equals("c"))
                .message();
    }

    private record Both(Verdict verdict) implements EventPolicy, QueryPolicy {
        @Override
        public Verdict judge(Event event, Client client) {
            return verdict;
        }

        @Override
        public Verdict judge(List<Filter> filters, Client client) {
            return verdict;
        }
    }
}
