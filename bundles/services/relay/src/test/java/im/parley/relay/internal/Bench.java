package im.parley.relay.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.storage.EventStore;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.lang.reflect.Proxy;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A relay with a store in memory, a standing clock and clients. */
final class Bench implements AutoCloseable {
    static final String URL = "ws://127.0.0.1:7470";
    static final long NOW = 1_800_000_000L;

    final SettableClock clock = SettableClock.atSecond(NOW);
    final TestStore store = new TestStore();
    final TestSlot<EventStore> storeSlot = new TestSlot<>("storage.events", store);
    final TestSlot<Secp256k1> curveSlot = new TestSlot<>("curve", TestKey.CURVE);
    final SecureRandom random;
    Relay relay;
    private final Map<String, Object> settings;
    private final List<TestClient> clients = new ArrayList<>();
    private long tick;

    Bench(String name) {
        this(name, Map.of());
    }

    Bench(String name, Map<String, Object> settings) {
        random = Seeds.secureRandom(name);
        this.settings = settings;
        relay = new Relay(configuration(settings), curveSlot, storeSlot, clock, random);
    }

    /** Another relay on the same store; clients have to connect again. */
    void restart() {
        relay.stop();
        relay = new Relay(configuration(settings), curveSlot, storeSlot, clock, random);
    }

    static RelayConfiguration configuration(Map<String, Object> settings) {
        return (RelayConfiguration) Proxy.newProxyInstance(
                RelayConfiguration.class.getClassLoader(),
                new Class<?>[] {RelayConfiguration.class},
                (proxy, method, arguments) -> settings.containsKey(method.getName())
                        ? settings.get(method.getName())
                        : method.getName().equals("urls") ? new String[] {URL} : method.getDefaultValue());
    }

    TestClient client() {
        TestClient client = new TestClient(relay);
        clients.add(client);
        return client;
    }

    /** As the node's own client connects. */
    TestClient localClient() {
        TestClient client = new TestClient(relay, "local");
        clients.add(client);
        return client;
    }

    TestClient client(TestKey... keys) {
        TestClient client = client();
        for (TestKey key : keys) {
            client.authenticate(key, NOW);
        }
        return client;
    }

    TestKey key() {
        return new TestKey(random);
    }

    Event note(TestKey author, String content) {
        return author.event(NOW - 1000 + tick++, 1, List.of(), content);
    }

    /** A gift wrap as far as a relay can tell. */
    Event wrap(TestKey recipient) {
        return key().event(NOW - 1000 + tick++, 1059, List.of(List.of("p", recipient.hex())), "sealed");
    }

    @Override
    public void close() {
        store.gate.countDown();
        relay.stop();
        clients.forEach(TestClient::check);
        if (storeSlot.inFlight() + curveSlot.inFlight() != 0) {
            throw new AssertionError("leases are left open");
        }
    }
}
