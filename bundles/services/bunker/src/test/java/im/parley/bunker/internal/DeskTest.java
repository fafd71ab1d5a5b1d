package im.parley.bunker.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.ProviderException;
import im.parley.bunker.Bunker;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeskTest {
    private static final long NOW = 1_800_000_000L;

    private final SecureRandom random = Seeds.secureRandom("DeskTest");
    private final SettableClock clock = SettableClock.atSecond(NOW);
    private final Secp256k1 curve = new BouncyCastleSecp256k1();
    private final FakeSlot<Secp256k1> slot = new FakeSlot<>(curve);
    private final List<Admission> kept = new ArrayList<>();
    private final List<Event> published = new ArrayList<>();
    private final List<String> dropped = new ArrayList<>();
    private final List<Integer> signed = new ArrayList<>();
    private boolean left;
    private RpcKey signerKey;
    private RpcKey client;
    private RpcKey stranger;
    private PublicKey identity;
    private Desk desk;
    private int lastId;

    @BeforeEach
    void open() throws ProviderException {
        identity = PublicKey.of(curve.publicKey(fresh()));
        client = new RpcKey(fresh(), slot, clock, random);
        stranger = new RpcKey(fresh(), slot, clock, random);
        desk(new Bunker.Grant(Set.of(), true));
    }

    private void desk(Bunker.Grant grant) throws ProviderException {
        byte[] key = fresh();
        signerKey = new RpcKey(key, slot, clock, random);
        Admission admission = new Admission(
                "client", identity, key, null, Desk.hash("secret"), grant, List.of(URI.create("wss://r.example")), NOW);
        desk = new Desk(new Office(), admission, signerKey, new Counting(), clock);
    }

    @Test
    void theSecretAdmitsOneClientAndNobodyElseIsAnswered() throws Exception {
        assertNull(ask(stranger, "ping"));
        assertEquals(List.of("bunker.stranger"), dropped);
        assertEquals("this invitation is not valid, or no longer", error(stranger, "connect", signer(), "wrong"));
        assertEquals("ack", result(client, "connect", signer(), "secret"));
        assertEquals(client.publicKey(), kept.get(0).client());
        assertEquals(0, kept.get(0).secretHash().length);
        assertNull(ask(stranger, "connect", signer(), "secret"));
        assertNull(ask(stranger, "get_public_key"));
        assertEquals("ack", result(client, "connect", signer(), "secret"));
        assertEquals(identity.hex(), result(client, "get_public_key"));
        assertEquals("pong", result(client, "ping"));
        assertEquals("null", result(client, "switch_relays"));
        assertTrue(error(client, "nip04_decrypt", identity.hex(), "x").contains("nip44"));
        assertEquals("unsupported method", error(client, "make_coffee"));
        assertEquals("ack", result(client, "logout"));
        assertTrue(left);
    }

    @Test
    void anInvitationEndsAfterAnHourAndAfterTenWrongSecrets() throws Exception {
        clock.set(Instant.ofEpochSecond(NOW).plus(Bunker.INVITATION).plusSeconds(1));
        error(client, "connect", signer(), "secret");
        assertEquals(List.of("bunker.expired"), dropped);

        clock.set(Instant.ofEpochSecond(NOW));
        desk(new Bunker.Grant(Set.of(), true));
        for (int i = 0; i < 10; i++) {
            error(stranger, "connect", signer(), "guess " + i);
        }
        assertEquals(0, kept.get(kept.size() - 1).secretHash().length);
        assertEquals("this invitation is not valid, or no longer", error(client, "connect", signer(), "secret"));
    }

    @Test
    void CR_28_sensitiveKindsAreSignedForWhomTheyWereGrantedByName() throws Exception {
        result(client, "connect", signer(), "secret");
        for (int kind : List.of(13, 22242, 24242, 27235, 5, 62)) {
            assertTrue(error(client, "sign_event", event(kind, "")).startsWith("sign.kind-denied"));
        }
        assertEquals(List.of(), signed);
        String other = PublicKey.of(curve.publicKey(fresh())).hex();
        assertTrue(error(client, "sign_event", event(1, ",\"pubkey\":\"" + other + "\""))
                .startsWith("sign.other-identity"));
        ask(client, "sign_event", event(1, ",\"pubkey\":\"" + identity.hex() + "\""));
        assertEquals(List.of(1), signed);

        desk(new Bunker.Grant(Set.of(13), false));
        result(client, "connect", signer(), "secret");
        ask(client, "sign_event", event(13, ""));
        assertEquals(List.of(1, 13), signed);
        assertTrue(error(client, "sign_event", event(1, "")).startsWith("sign.kind-denied"));
        assertTrue(error(client, "nip44_decrypt", other, "x").startsWith("nip44.denied"));
    }

    @Test
    void whatARelayKeptIsNotAnsweredAgainAndNobodyAsksWithoutEnd() throws Exception {
        result(client, "connect", signer(), "secret");
        Event ping = request(client, "ping");
        desk.arrived(ping);
        int answers = published.size();
        desk.arrived(ping);
        assertEquals(answers, published.size());
        clock.advance(Desk.WINDOW.plusSeconds(1));
        desk.arrived(ping);
        assertEquals(answers, published.size());
        assertEquals(List.of("bunker.stale"), dropped);
        int refused = 0;
        for (int i = 0; i < 400; i++) {
            Rpc.Response response = ask(client, "ping");
            refused += response != null && "rate-limited: ask more slowly".equals(response.error()) ? 1 : 0;
        }
        assertEquals(100, refused);
        clock.advance(Duration.ofSeconds(1));
        assertEquals("pong", result(client, "ping"));
    }

    @Test
    void anAdmissionIsReadAsItWasWritten() throws Exception {
        Admission admission = desk.admission().with(client.publicKey());
        Admission read = Admission.read(admission.write());
        assertEquals(admission.client(), read.client());
        assertEquals(admission.grant(), read.grant());
        assertEquals(admission.relays(), read.relays());
        assertEquals(admission.invited(), read.invited());
    }

    private String signer() {
        return signerKey.publicKey().hex();
    }

    private static String event(int kind, String more) {
        return "{\"kind\":" + kind + ",\"content\":\"\",\"tags\":[],\"created_at\":" + NOW + more + "}";
    }

    private Event request(RpcKey from, String method, String... params) throws ProviderException {
        return from.seal(signerKey.publicKey(), Rpc.write(new Rpc.Request("id" + ++lastId, method, List.of(params))));
    }

    private Rpc.@Nullable Response ask(RpcKey from, String method, String... params) throws Exception {
        int before = published.size();
        desk.arrived(request(from, method, params));
        if (published.size() == before) {
            return null;
        }
        Rpc.Response response = Rpc.readResponse(from.open(published.get(before)));
        assertEquals("id" + lastId, response.id());
        return response;
    }

    private @Nullable String result(RpcKey from, String method, String... params) throws Exception {
        Rpc.Response response = ask(from, method, params);
        return response == null ? null : response.result();
    }

    private String error(RpcKey from, String method, String... params) throws Exception {
        Rpc.Response response = ask(from, method, params);
        return response == null || response.error() == null ? "" : response.error();
    }

    private byte[] fresh() {
        byte[] key = new byte[32];
        random.nextBytes(key);
        return key;
    }

    private final class Office implements Desk.Office {
        @Override
        public void keep(Admission admission) {
            kept.add(admission);
        }

        @Override
        public void leave(Admission admission) {
            left = true;
        }

        @Override
        public void publish(Admission admission, Event event) {
            published.add(event);
        }

        @Override
        public void dropped(String code) {
            dropped.add(code);
        }
    }

    /** Signs nothing, but remembers what it was asked for. */
    private final class Counting implements Signer {
        @Override
        public PublicKey publicKey() {
            return identity;
        }

        @Override
        public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
            assertEquals(Purpose.DELEGATED, purpose);
            signed.add(template.kind());
            return new CompletableFuture<>();
        }

        @Override
        public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
            return new CompletableFuture<>();
        }

        @Override
        public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
            return new CompletableFuture<>();
        }
    }
}
