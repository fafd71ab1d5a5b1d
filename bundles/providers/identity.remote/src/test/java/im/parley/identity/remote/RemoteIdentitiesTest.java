package im.parley.identity.remote;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.nip46.BunkerUrl;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventWriter;
import im.parley.testkit.FakeSecrets;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.net.URI;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RemoteIdentitiesTest {
    private static final URI RELAY = URI.create("wss://bunker.example");
    private static final URI MOVED = URI.create("wss://moved.example");
    private static final long NOW = 1_800_000_000L;
    private static final EventTemplate SEAL = new EventTemplate(NOW, 13, List.of(), "sealed");

    private final SecureRandom random = Seeds.secureRandom("RemoteIdentitiesTest");
    private final SettableClock clock = SettableClock.atSecond(NOW);
    private final Secp256k1 curve = new BouncyCastleSecp256k1();
    private final FakeSlot<Secp256k1> slot = new FakeSlot<>(curve);
    private final FakeSecrets secrets = new FakeSecrets();
    private final FakeRelays relays = new FakeRelays(secrets, random, clock);
    private final byte[] userKey = fresh();
    private final List<Rpc.Request> requests = new ArrayList<>();
    private RpcKey signer;
    private RemoteIdentities identities;
    private String secret = "once";
    private String switched = "null";
    /** What the signer does to what it signed. */
    private UnaryOperator<Event> twist = event -> event;

    @BeforeEach
    void open() throws ProviderException {
        signer = new RpcKey(fresh(), slot, clock, random);
        relays.signer = this::serve;
        identities = new RemoteIdentities(relays, slot);
    }

    @AfterEach
    void close() {
        identities.close();
    }

    private PublicKey connect() throws ProviderException {
        return identities.connect(Scope.DEFAULT, url());
    }

    private char[] url() {
        return new BunkerUrl(signer.publicKey(), List.of(RELAY), "once").write().toCharArray();
    }

    @Test
    void CR_34_aSessionIsRestoredAndAskedAtItsRelaysOnlyAndItsSecretIsSentOnce() throws Exception {
        switched = "[\"" + MOVED + "\"]";
        PublicKey user = connect();
        assertEquals(PublicKey.of(curve.publicKey(userKey)), user);
        assertFalse(user.equals(signer.publicKey()));
        assertEquals(Set.of(RELAY, MOVED), relays.asked);
        assertEquals(
                List.of("connect", "switch_relays", "get_public_key"),
                requests.stream().map(Rpc.Request::method).toList());
        identities.close();

        relays.asked.clear();
        requests.clear();
        identities = new RemoteIdentities(relays, slot);
        assertEquals(List.of(user), identities.list());
        RemoteKeys.Session session = identities.sessions().get(0);
        assertEquals(List.of(MOVED), session.relays());
        assertEquals(List.of(RELAY), session.named());
        assertEquals(Set.of(), relays.asked, "nobody is asked before there is something to ask");
        Event event = done(open(user).sign(SEAL, Purpose.SEAL));
        assertEquals(user, event.pubkey());
        assertEquals(Set.of(MOVED), relays.asked);
        assertEquals(
                List.of("sign_event"),
                requests.stream().map(Rpc.Request::method).toList());
        assertEquals(1, relays.lanes.size(), "one connection of its own, before and after");
        for (byte[] kept : secrets.handedOut) {
            assertFalse(new String(kept, java.nio.charset.StandardCharsets.ISO_8859_1).contains("once"));
        }
    }

    @Test
    void CR_33_whatComesFromAStrangerIsIgnored() throws Exception {
        PublicKey user = connect();
        RpcKey stranger = new RpcKey(fresh(), slot, clock, random);
        relays.signer = event -> {};
        CompletionStage<Event> open = open(user).sign(SEAL, Purpose.SEAL);
        Event asked = relays.published.get(relays.published.size() - 1);
        Rpc.Request request = Rpc.readRequest(signer.open(asked));
        for (String url :
                List.of("javascript:alert(1)", "file:///etc/passwd", "parley://open", "https://evil.example/")) {
            relays.arrives(
                    RELAY, stranger.seal(asked.pubkey(), Rpc.write(new Rpc.Response(request.id(), "auth_url", url))));
        }
        assertEquals(4, identities.drops().get("nip46.bad-sender"));
        assertEquals("", identities.sessions().get(0).approval());
        assertFalse(open.toCompletableFuture().isDone());
    }

    @Test
    void CR_33_onlyAWebAddressOfTheSignerForAnOpenQuestionIsShown() throws Exception {
        PublicKey user = connect();
        relays.signer = event -> {};
        CompletionStage<Event> open = open(user).sign(SEAL, Purpose.SEAL);
        Event asked = relays.published.get(relays.published.size() - 1);
        Rpc.Request request = Rpc.readRequest(signer.open(asked));
        for (String url : List.of(
                "javascript:alert(1)",
                "file:///etc/passwd",
                "parley://open",
                "https:///nowhere",
                "https://bank.example@evil.example/",
                "https://signer.example/\u202egpj.exe",
                "https://signer.example/\nSigned by Parley")) {
            answer(asked, request.id(), "auth_url", url);
        }
        assertEquals(7, identities.drops().get("nip46.bad-auth-url"));
        assertEquals("", identities.sessions().get(0).approval());
        answer(asked, "ff".repeat(16), "auth_url", "https://signer.example/");
        assertEquals(1, identities.drops().get("nip46.no-request"));
        assertEquals("", identities.sessions().get(0).approval());

        answer(asked, request.id(), "auth_url", "https://signer.example/approve");
        assertEquals(
                "https://signer.example/approve", identities.sessions().get(0).approval());
        assertFalse(open.toCompletableFuture().isDone());
        answer(
                asked,
                request.id(),
                EventWriter.write(signed(Rpc.readUnsigned(request.param(0)).template())),
                null);
        assertEquals(user, done(open).pubkey());
        assertEquals("", identities.sessions().get(0).approval());
        answer(asked, request.id(), "auth_url", "https://signer.example/again");
        assertEquals(2, identities.drops().get("nip46.no-request"));
    }

    @Test
    void CR_33_aResultThatIsNotWhatWasAskedForIsNotUsed() throws Exception {
        PublicKey user = connect();
        byte[] other = fresh();
        List<UnaryOperator<Event>> twists = List.of(
                event -> sign(other, SEAL),
                event -> sign(userKey, new EventTemplate(NOW, 13, List.of(), "other")),
                event -> sign(userKey, new EventTemplate(NOW, 1, List.of(), "sealed")),
                event -> sign(userKey, new EventTemplate(NOW + 1, 13, List.of(), "sealed")),
                event -> sign(userKey, new EventTemplate(NOW, 13, List.of(List.of("p", "x")), "sealed")),
                event -> new Event(
                        event.id(),
                        event.pubkey(),
                        event.createdAt(),
                        event.kind(),
                        event.tags(),
                        event.content(),
                        Signature.of(new byte[64])),
                event -> new Event(
                        EventId.of(new byte[32]),
                        event.pubkey(),
                        event.createdAt(),
                        event.kind(),
                        event.tags(),
                        event.content(),
                        event.sig()));
        for (UnaryOperator<Event> each : twists) {
            twist = each;
            assertEquals("nip46.result-mismatch", code(open(user).sign(SEAL, Purpose.SEAL)));
        }
    }

    @Test
    void aConnectionNeedsTheSecretOrAnAck() throws Exception {
        secret = "another";
        assertEquals(
                "nip46.result-mismatch",
                assertThrows(ProviderException.class, this::connect).code());
        assertEquals(List.of(), identities.list());
        for (String bad : List.of("", "bunker://", "https://x.example", "bunker://" + "0".repeat(64))) {
            assertEquals(
                    "nip46.bad-url",
                    assertThrows(ProviderException.class, () -> identities.connect(Scope.DEFAULT, bad.toCharArray()))
                            .code());
        }
    }

    @Test
    void CR_28_onlyKindsOfAGrantedPurposeAreAskedFor() throws Exception {
        PublicKey user = connect();
        requests.clear();
        Signer seals = identities.open(user, Set.of(Purpose.SEAL));
        assertEquals(
                "sign.kind-denied", code(seals.sign(new EventTemplate(NOW, 22242, List.of(), ""), Purpose.RELAY_AUTH)));
        assertEquals("sign.kind-denied", code(seals.sign(new EventTemplate(NOW, 5, List.of(), ""), Purpose.SEAL)));
        assertEquals(List.of(), requests);
    }

    @Test
    void requestIdsAreRandomAndNeverTheSame() throws Exception {
        PublicKey user = connect();
        for (int i = 0; i < 50; i++) {
            done(open(user).sign(SEAL, Purpose.SEAL));
        }
        Set<String> ids = new HashSet<>();
        requests.forEach(request -> ids.add(request.id()));
        assertEquals(requests.size(), ids.size());
        assertTrue(ids.stream().allMatch(id -> id.matches("[0-9a-f]{32}")));
    }

    @Test
    void whoDisconnectsLeavesNothing() throws Exception {
        PublicKey user = connect();
        identities.disconnect(user);
        assertEquals("logout", requests.get(requests.size() - 1).method());
        assertEquals(List.of(), identities.list());
        assertEquals(List.of(), secrets.names());
        assertEquals(
                "identity.unknown",
                assertThrows(ProviderException.class, () -> open(user)).code());
    }

    private Signer open(PublicKey user) throws ProviderException {
        return identities.open(user, Set.of(Purpose.SEAL));
    }

    private void serve(Event event) {
        try {
            Rpc.Request request = Rpc.readRequest(signer.open(event));
            requests.add(request);
            String result = switch (request.method()) {
                case "connect" -> {
                    assertEquals(signer.publicKey().hex(), request.param(0));
                    assertEquals("once", request.param(1));
                    yield secret;
                }
                case "switch_relays" -> switched;
                case "get_public_key" -> PublicKey.of(curve.publicKey(userKey)).hex();
                case "sign_event" ->
                    EventWriter.write(twist.apply(
                            signed(Rpc.readUnsigned(request.param(0)).template())));
                default -> "ack";
            };
            answer(event, request.id(), result, null);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private void answer(
            Event asked,
            String id,
            @org.jspecify.annotations.Nullable String result,
            @org.jspecify.annotations.Nullable String error)
            throws ProviderException {
        Event event = signer.seal(asked.pubkey(), Rpc.write(new Rpc.Response(id, result, error)));
        relays.arrives(RELAY, event);
        relays.arrives(MOVED, event);
    }

    private Event signed(EventTemplate template) {
        return sign(userKey, template);
    }

    private Event sign(byte[] key, EventTemplate template) {
        try {
            PublicKey author = PublicKey.of(curve.publicKey(key));
            EventId id =
                    EventHash.id(author, template.createdAt(), template.kind(), template.tags(), template.content());
            return new Event(
                    id,
                    author,
                    template.createdAt(),
                    template.kind(),
                    template.tags(),
                    template.content(),
                    Signature.of(curve.sign(id.bytes(), key, new byte[32])));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static <T> T done(CompletionStage<T> stage) {
        CompletableFuture<T> future = stage.toCompletableFuture();
        assertTrue(future.isDone());
        return future.join();
    }

    private static String code(CompletionStage<?> stage) {
        CompletableFuture<?> future = stage.toCompletableFuture();
        assertTrue(future.isDone());
        Throwable cause = assertThrows(ExecutionException.class, future::get).getCause();
        return assertInstanceOf(ProviderException.class, cause).code();
    }

    private byte[] fresh() {
        byte[] key = new byte[32];
        random.nextBytes(key);
        return key;
    }
}
