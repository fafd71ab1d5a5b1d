package im.parley.envelope.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.envelope.Envelope;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.testkit.PeerData;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.testkit.Vectors;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class GiftEnvelopeTest {
    private static final long NOW = 1_790_000_000L;

    private final Secp256k1 curve = new BouncyCastleSecp256k1();
    private final SecureRandom random = Seeds.secureRandom("envelope");
    private final SettableClock clock = SettableClock.atSecond(NOW);
    private final AtomicInteger leases = new AtomicInteger();
    private final Envelope envelope = new GiftEnvelope(slot(curve), clock, random);
    private final KeySigner alice = fresh();
    private final KeySigner bob = fresh();

    @Test
    void whatIsWrappedIsOpenedByItsRecipient() throws Exception {
        Rumor rumor = rumor(alice, "Hello Bob, مرحبا, नमस्ते, \uD83D\uDC4B\uD83C\uDFFD");
        Event wrap = done(envelope.wrap(alice, rumor, bob.publicKey(), false, null));

        assertEquals(1059, wrap.kind());
        assertEquals(List.of(List.of("p", bob.publicKey().hex())), wrap.tags());
        assertNotEquals(alice.publicKey(), wrap.pubkey());
        EventVerifier.verify(wrap, curve);
        assertEquals(new Envelope.Opened(rumor, alice.publicKey()), done(envelope.unwrap(bob, wrap)));
        assertEquals(0, leases.get());
    }

    @Test
    void aCopyToOneselfOpens() throws Exception {
        Rumor rumor = rumor(alice, "note");
        Event wrap = done(envelope.wrap(alice, rumor, alice.publicKey(), false, null));
        assertEquals(rumor, done(envelope.unwrap(alice, wrap)).rumor());
    }

    @Test
    void ephemeralWrapsAndExpirationsAreMarkedOnBothLayers() throws Exception {
        Rumor rumor = rumor(alice, "soon gone");
        Event wrap = done(envelope.wrap(alice, rumor, bob.publicKey(), true, NOW + 60));
        assertEquals(21059, wrap.kind());
        assertEquals(List.of("p", bob.publicKey().hex()), wrap.tags().get(0));
        assertEquals(2, wrap.tags().size());
        Event seal = EventReader.read(bob.decrypt(wrap.pubkey(), wrap.content()));
        assertEquals(1, seal.tags().size());
        assertEquals(rumor, done(envelope.unwrap(bob, wrap)).rumor());
        Set<Long> times = new HashSet<>();
        for (int i = 0; i < 20; i++) {
            Event other = done(envelope.wrap(alice, rumor, bob.publicKey(), false, NOW + 60));
            Event inside = EventReader.read(bob.decrypt(other.pubkey(), other.content()));
            for (Event layer : List.of(other, inside)) {
                long time = Long.parseLong(layer.tagValues("expiration").get(0));
                assertTrue(time >= NOW + 60 && time <= NOW + 75, "never before, and not much later: " + time);
                times.add(time);
            }
        }
        assertTrue(times.size() > 5, "each layer has its own: " + times);
    }

    @Test
    void keysAreUsedOnceAndBothDatesAreBackByUpToTwoDaysEachOnItsOwn() throws Exception {
        Rumor rumor = rumor(alice, "hi");
        Set<PublicKey> keys = new HashSet<>();
        boolean sealNewer = false;
        boolean wrapNewer = false;
        long oldest = NOW;
        for (int i = 0; i < 60; i++) {
            Event wrap = done(envelope.wrap(alice, rumor, bob.publicKey(), false, null));
            Event seal = EventReader.read(bob.decrypt(wrap.pubkey(), wrap.content()));
            assertTrue(keys.add(wrap.pubkey()));
            for (long at : new long[] {wrap.createdAt(), seal.createdAt()}) {
                assertTrue(at <= NOW && at >= NOW - 172_800, "created_at " + at);
                oldest = Math.min(oldest, at);
            }
            sealNewer |= seal.createdAt() > wrap.createdAt();
            wrapNewer |= wrap.createdAt() > seal.createdAt();
            assertEquals(List.of(), seal.tags());
        }
        assertTrue(sealNewer && wrapNewer, "independent dates are in either order");
        assertTrue(oldest < NOW - 86_400, "dates reach back more than a day");
    }

    @Test
    void whatPeersCannotReadIsNotSent() throws Exception {
        Rumor large = rumor(alice, "x".repeat(50_000));
        assertRefused("dm.too-large", envelope.wrap(alice, large, bob.publicKey(), false, null));
        Rumor most = rumor(alice, "x".repeat(40_000));
        assertEquals(
                most,
                done(envelope.unwrap(bob, done(envelope.wrap(alice, most, bob.publicKey(), false, null))))
                        .rumor());
    }

    @Test
    void anothersOrAltersRumorIsNotSealed() throws Exception {
        assertRefused("dm.sender-mismatch", envelope.wrap(alice, rumor(bob, "hi"), bob.publicKey(), false, null));
        Rumor rumor = rumor(alice, "hi");
        Rumor altered = new Rumor(rumor.id(), rumor.pubkey(), rumor.createdAt(), rumor.kind(), rumor.tags(), "other");
        assertRefused("dm.bad-rumor-id", envelope.wrap(alice, altered, bob.publicKey(), false, null));
    }

    @Test
    void keysThatAreNotOnTheCurveAreRefused() throws Exception {
        PublicKey nowhere = PublicKey.ofHex("eb1f7200aecaa86682376fb1c13cd12b732221e774f553b0a0857f88fa20f86d");
        ProviderException e = failure(envelope.wrap(alice, rumor(alice, "hi"), nowhere, false, null));
        assertEquals("crypto.bad-pubkey", e.code());
    }

    @Test
    void CR_21_badSealSignature() throws Exception {
        Event seal = seal(alice, 13, List.of(), EventWriter.write(rumor(alice, "hi")));
        byte[] sig = seal.sig().bytes();
        sig[10] ^= 1;
        Event forged = new Event(
                seal.id(),
                seal.pubkey(),
                seal.createdAt(),
                seal.kind(),
                seal.tags(),
                seal.content(),
                Signature.of(sig));
        assertRefused("dm.seal-bad-sig", envelope.unwrap(bob, wrapOf(forged)));
    }

    @Test
    void CR_21_sealWithTheIdOfAnotherBody() throws Exception {
        Event seal = seal(alice, 13, List.of(), EventWriter.write(rumor(alice, "hi")));
        Event other =
                new Event(seal.id(), seal.pubkey(), seal.createdAt() - 1, 13, seal.tags(), seal.content(), seal.sig());
        assertRefused("dm.seal-bad-sig", envelope.unwrap(bob, wrapOf(other)));
    }

    @Test
    void CR_21_rumorAuthorIsNotTheSealAuthor() throws Exception {
        KeySigner mallory = fresh();
        Event seal = seal(mallory, 13, List.of(), EventWriter.write(rumor(alice, "give Mallory the keys")));
        assertRefused("dm.sender-mismatch", envelope.unwrap(bob, wrapOf(seal)));
    }

    @Test
    void CR_21_sealOfAnotherKind() throws Exception {
        for (int kind : new int[] {1, 14}) {
            Event seal = seal(alice, kind, List.of(), EventWriter.write(rumor(alice, "hi")));
            assertRefused("dm.bad-seal", envelope.unwrap(bob, wrapOf(seal)));
        }
    }

    @Test
    void CR_21_sealWithTagsOtherThanOneExpiration() throws Exception {
        String json = EventWriter.write(rumor(alice, "hi"));
        for (List<List<String>> tags : List.of(
                List.of(List.of("p", bob.publicKey().hex())),
                List.of(List.of("expiration", "1"), List.of("expiration", "2")),
                List.of(List.of("expiration")),
                List.of(List.of("expiration", "-1")),
                List.of(List.of("expiration", "1", "more")))) {
            assertRefused("dm.bad-seal", envelope.unwrap(bob, wrapOf(seal(alice, 13, tags, json))));
        }
        Event fine = seal(alice, 13, List.of(List.of("expiration", "1900000000")), json);
        assertEquals("hi", done(envelope.unwrap(bob, wrapOf(fine))).rumor().content());
    }

    @Test
    void CR_21_rumorThatCarriesASignature() throws Exception {
        Event signed = alice.event(NOW, 14, List.of(), "hi");
        Event seal = seal(alice, 13, List.of(), EventWriter.write(signed));
        assertRefused("dm.signed-rumor", envelope.unwrap(bob, wrapOf(seal)));
    }

    @Test
    void CR_21_rumorWithAWrongId() throws Exception {
        Rumor right = rumor(alice, "hi");
        Rumor wrong = new Rumor(
                rumor(alice, "another").id(), right.pubkey(), right.createdAt(), right.kind(), right.tags(), "hi");
        Event seal = seal(alice, 13, List.of(), EventWriter.write(wrong));
        assertRefused("dm.bad-rumor-id", envelope.unwrap(bob, wrapOf(seal)));
    }

    @Test
    void CR_21_missingRumorIdIsTheOneItMustBe() throws Exception {
        Rumor rumor = rumor(alice, "hi");
        String json = EventWriter.write(rumor).replace("\"id\":\"" + rumor.id().hex() + "\",", "");
        assertTrue(!json.contains("\"id\""));
        Event seal = seal(alice, 13, List.of(), json);
        assertEquals(rumor, done(envelope.unwrap(bob, wrapOf(seal))).rumor());
    }

    @Test
    void CR_21_wrapForSomebodyElse() throws Exception {
        KeySigner carol = fresh();
        Event wrap = done(envelope.wrap(alice, rumor(alice, "hi"), carol.publicKey(), false, null));
        assertRefused("dm.not-for-me", envelope.unwrap(bob, wrap));
    }

    @Test
    void CR_21_wrapInAWrapInAWrap() throws Exception {
        Event inner = done(envelope.wrap(alice, rumor(alice, "hi"), bob.publicKey(), false, null));
        Event middle = wrapOf(inner);
        assertRefused("dm.bad-seal", envelope.unwrap(bob, middle));
        assertRefused("dm.bad-seal", envelope.unwrap(bob, wrapOf(middle)));
    }

    @Test
    void CR_21_contentAboveTheCapIsRefusedBeforeAnyWork() throws Exception {
        Event huge = new Event(
                rumor(alice, "x").id(),
                alice.publicKey(),
                NOW,
                1059,
                List.of(List.of("p", bob.publicKey().hex())),
                "A".repeat(10 * 1024 * 1024),
                Signature.of(new byte[64]));
        assertRefused("dm.too-large", envelope.unwrap(bob, huge));
        assertRefused(
                "dm.too-large",
                envelope.unwrap(
                        bob,
                        outer(
                                1059,
                                List.of(List.of("p", bob.publicKey().hex())),
                                "A".repeat(Envelope.MAX_CONTENT_CHARS + 1))));
    }

    @Test
    void CR_18_wrapIsVerifiedHereAgain() throws Exception {
        Event wrap = done(envelope.wrap(alice, rumor(alice, "hi"), bob.publicKey(), false, null));
        Event moved = new Event(
                wrap.id(), wrap.pubkey(), wrap.createdAt() + 1, wrap.kind(), wrap.tags(), wrap.content(), wrap.sig());
        assertRefused("dm.bad-wrap", envelope.unwrap(bob, moved));
        assertRefused("dm.bad-wrap", envelope.unwrap(bob, outer(1, wrap.tags(), wrap.content())));
    }

    @Test
    void junkInsideIsRefusedWithACode() throws Exception {
        for (String junk : List.of("{}", "[]", "null", "not json", "{\"kind\":13}", "[".repeat(20_000))) {
            assertRefused("dm.bad-seal", envelope.unwrap(bob, wrapOfText(junk)));
            assertRefused("dm.bad-seal", envelope.unwrap(bob, wrapOf(seal(alice, 13, List.of(), junk))));
        }
        ProviderException e = failure(envelope.unwrap(
                bob, outer(1059, List.of(List.of("p", bob.publicKey().hex())), "not base64")));
        assertTrue(e.code().startsWith("crypto."), e.code());
    }

    @Test
    void aSignerThatReturnsSomethingElseIsNotTrusted() throws Exception {
        KeySigner mallory = fresh();
        Rumor rumor = rumor(alice, "hi");
        im.parley.api.identity.Signer lying = new im.parley.api.identity.Signer() {
            @Override
            public PublicKey publicKey() {
                return alice.publicKey();
            }

            @Override
            public CompletionStage<Event> sign(
                    im.parley.api.event.EventTemplate template, im.parley.api.identity.Purpose purpose) {
                return mallory.sign(template, purpose);
            }

            @Override
            public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
                return alice.nip44Encrypt(peer, plaintext);
            }

            @Override
            public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
                return alice.nip44Decrypt(peer, payload);
            }
        };
        ProviderException e = failure(envelope.wrap(lying, rumor, bob.publicKey(), false, null));
        assertEquals("sign.wrong-result", e.code());
    }

    @Test
    void CR_01_officialNip17VectorsOpen() throws Exception {
        JsonNode vectors = Vectors.json("nips/nip17.json");
        KeySigner sender = nsec(vectors.get("sender_nsec").asText());
        KeySigner receiver = nsec(vectors.get("receiver_nsec").asText());
        int opened = 0;
        for (JsonNode row : vectors.get("wraps")) {
            KeySigner to = row.get("recipient").asText().equals("receiver") ? receiver : sender;
            Event wrap = EventReader.read(row.get("gift_wrap").toString());
            Envelope.Opened got = done(envelope.unwrap(to, wrap));
            assertEquals(row.get("rumor").get("id").asText(), got.rumor().id().hex());
            assertEquals(row.get("rumor").get("content").asText(), got.rumor().content());
            assertEquals(sender.publicKey(), got.sender());
            opened++;
        }
        assertTrue(opened >= 2, "vectors opened: " + opened);
    }

    @Test
    void wrapsOfPeersOpen() throws Exception {
        JsonNode cases = PeerData.json("nip59.json");
        assertTrue(cases.size() >= 15, cases.size() + " cases");
        for (JsonNode each : cases) {
            Envelope.Opened got = done(envelope.unwrap(
                    secret(each.get("recipient").asText()),
                    EventReader.read(each.get("wrap").toString())));
            assertEquals(each.get("sender").asText(), got.sender().hex());
            assertEquals(each.get("text").asText(), got.rumor().content());
            assertEquals(each.get("rumorId").asText(), got.rumor().id().hex());
            assertEquals(each.get("createdAt").asLong(), got.rumor().createdAt());
        }
    }

    @Test
    void CR_01_officialNip59VectorOpens() throws Exception {
        JsonNode vector = Vectors.json("nips/nip59.json");
        KeySigner recipient = secret(vector.get("recipient_sec").asText());
        Envelope.Opened got = done(envelope.unwrap(
                recipient, EventReader.read(vector.get("gift_wrap").toString())));
        assertEquals(EventReader.readRumor(vector.get("rumor").toString()), got.rumor());
        assertEquals(secret(vector.get("author_sec").asText()).publicKey(), got.sender());
    }

    // ---- forging ----

    private Event seal(KeySigner author, int kind, List<List<String>> tags, String plaintext) throws ProviderException {
        return author.event(NOW, kind, tags, author.encrypt(bob.publicKey(), plaintext));
    }

    private Event wrapOf(Event seal) throws ProviderException {
        return wrapOfText(EventWriter.write(seal));
    }

    private Event wrapOfText(String plaintext) throws ProviderException {
        KeySigner once = fresh();
        return once.event(
                NOW, 1059, List.of(List.of("p", bob.publicKey().hex())), once.encrypt(bob.publicKey(), plaintext));
    }

    private Event outer(int kind, List<List<String>> tags, String content) throws ProviderException {
        return fresh().event(NOW, kind, tags, content);
    }

    private KeySigner fresh() {
        try {
            return KeySigner.fresh(curve, random);
        } catch (ProviderException e) {
            throw new AssertionError(e);
        }
    }

    private KeySigner nsec(String text) throws ProviderException, ProtocolException {
        return new KeySigner(
                curve,
                random,
                assertInstanceOf(Nip19.Nsec.class, Nip19.decode(text)).secret());
    }

    private KeySigner secret(String hex) throws ProviderException {
        return new KeySigner(curve, random, HexFormat.of().parseHex(hex));
    }

    private static Rumor rumor(KeySigner author, String text) throws ProtocolException {
        return EventHash.rumor(author.publicKey(), NOW, 14, List.of(), text);
    }

    private static <T> T done(CompletionStage<T> stage) {
        return stage.toCompletableFuture().join();
    }

    private static ProviderException failure(CompletionStage<?> stage) {
        CompletionException e = assertThrows(
                CompletionException.class, () -> stage.toCompletableFuture().join());
        return assertInstanceOf(ProviderException.class, e.getCause());
    }

    private void assertRefused(String code, CompletionStage<?> stage) {
        ProviderException e = failure(stage);
        assertEquals(code, e.code());
        assertEquals(Kind.REJECTED, e.kind());
        assertEquals(0, leases.get(), "every lease was closed");
    }

    private <T> Slot<T> slot(T object) {
        return new Slot<>() {
            @Override
            public String name() {
                return "test";
            }

            @Override
            public Lease<T> acquire() {
                leases.incrementAndGet();
                return new Lease<>() {
                    private boolean closed;

                    @Override
                    public T get() {
                        return object;
                    }

                    @Override
                    public String instance() {
                        return "test~1";
                    }

                    @Override
                    public boolean retiring() {
                        return false;
                    }

                    @Override
                    public void close() {
                        if (!closed) {
                            closed = true;
                            leases.decrementAndGet();
                        }
                    }
                };
            }

            @Override
            public Status status() {
                return new Status("test", "test~1", "", leases.get());
            }
        };
    }
}
