package im.parley.identity.local;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.Nip49;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.EventHash;
import im.parley.protocol.Nip19;
import im.parley.testkit.FakeSecrets;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class LocalIdentitiesTest {
    private static final Set<Purpose> ALL = EnumSet.allOf(Purpose.class);

    private final Secp256k1 curve = new BouncyCastleSecp256k1();
    private final FakeSlot<Secp256k1> slot = new FakeSlot<>(curve);
    private final FakeSecrets secrets = new FakeSecrets();
    private LocalIdentities identities;

    @BeforeEach
    void open() {
        IdentityProvider opened = new LocalIdentityProvider(slot)
                .open(new FakeContext(secrets, Seeds.secureRandom("LocalIdentitiesTest")));
        identities = (LocalIdentities) opened;
    }

    @AfterEach
    void nothingIsLeftBehind() {
        assertEquals(0, slot.open(), "leases still open");
        for (byte[] secretKey : secrets.handedOut) {
            assertArrayEquals(new byte[32], secretKey, "a secret key was not overwritten after its use");
        }
    }

    @Test
    void aNewIdentityIsListedAndSigns() throws Exception {
        PublicKey identity = identities.create(null);
        assertEquals(List.of(identity), identities.list());
        assertFalse(identities.locked(identity));
        EventTemplate template =
                new EventTemplate(1_700_000_000, 10_050, List.of(List.of("relay", "wss://a.example")), "مرحبا");
        Event event = done(identities.open(identity, ALL).sign(template, Purpose.RELAY_LIST));
        assertEquals(identity, event.pubkey());
        assertEquals(template.createdAt(), event.createdAt());
        assertEquals(template.kind(), event.kind());
        assertEquals(template.tags(), event.tags());
        assertEquals(template.content(), event.content());
        assertEquals(EventHash.id(identity, 1_700_000_000, 10_050, template.tags(), "مرحبا"), event.id());
        assertTrue(curve.verify(event.sig().bytes(), event.id().bytes(), identity.bytes()));
    }

    @Test
    void identitiesAreDifferentAndSurviveReopening() throws Exception {
        PublicKey first = identities.create(null);
        PublicKey second = identities.create(null);
        assertNotEquals(first, second);
        identities.close();
        open();
        assertEquals(Set.of(first, second), Set.copyOf(identities.list()));
        assertEquals(
                first,
                done(identities.open(first, ALL).sign(auth(), Purpose.RELAY_AUTH))
                        .pubkey());
    }

    @Test
    void signaturesOfTheSameEventUseFreshRandomness() throws Exception {
        Signer signer = identities.open(identities.create(null), ALL);
        Event first = done(signer.sign(auth(), Purpose.RELAY_AUTH));
        Event second = done(signer.sign(auth(), Purpose.RELAY_AUTH));
        assertEquals(first.id(), second.id());
        assertNotEquals(first.sig(), second.sig());
    }

    @Test
    void twoIdentitiesReadEachOther() throws Exception {
        Signer alice = identities.open(identities.create(null), ALL);
        Signer bob = identities.open(identities.create(null), ALL);
        for (String text : List.of("a", "hello", "مرحبا بالعالم", "नमस्ते", "👩‍👩‍👧", "x".repeat(70_000))) {
            String payload = done(alice.nip44Encrypt(bob.publicKey(), text));
            assertNotEquals(payload, done(alice.nip44Encrypt(bob.publicKey(), text)), "each with its own nonce");
            assertEquals(text, done(bob.nip44Decrypt(alice.publicKey(), payload)));
            assertEquals(text, done(alice.nip44Decrypt(bob.publicKey(), payload)), "and the writer herself");
        }
        Signer carol = identities.open(identities.create(null), ALL);
        String payload = done(alice.nip44Encrypt(bob.publicKey(), "for bob"));
        refused(Kind.REJECTED, "crypto.bad-mac", () -> done(carol.nip44Decrypt(alice.publicKey(), payload)));
    }

    @Test
    void aKeyThatWasImportedCanBeTakenOutAgain() throws Exception {
        byte[] secret = new byte[32];
        secret[31] = 5;
        PublicKey identity = identities.importKey(secret, null);
        char[] password = "a sentence of my own".toCharArray();
        String sealed = identities.exportKey(identity, password);
        assertArrayEquals(secret, Nip49.open(password, Nip19.sealedKey(sealed), 1L << 28));
        assertNotEquals(sealed, identities.exportKey(identity, password), "salt and nonce are fresh");
        assertEquals(2, secrets.handedOut.size());
        nothingIsLeftBehind();
        PublicKey stranger = PublicKey.ofHex("ab".repeat(32));
        refused(Kind.REJECTED, "identity.unknown", () -> identities.exportKey(stranger, password));
        char[] half = {'a', '\ud83d'};
        refused(Kind.REJECTED, "crypto.bad-unicode", () -> identities.exportKey(identity, half));
        PublicKey locked = identities.create("its passphrase".toCharArray());
        refused(Kind.AUTHENTICATION, "vault.locked", () -> identities.exportKey(locked, password));
    }

    @Test
    void CR_01_nip44VectorsThroughTheSigner() throws Exception {
        JsonNode cases = Vectors.json("nip44/nip44.vectors.json")
                .path("v2")
                .path("valid")
                .path("encrypt_decrypt");
        assertTrue(cases.size() >= 10);
        for (JsonNode vector : cases) {
            PublicKey one = identities.importKey(hex(vector, "sec1"), null);
            PublicKey two = identities.importKey(hex(vector, "sec2"), null);
            String payload = vector.path("payload").asText();
            assertEquals(
                    vector.path("plaintext").asText(),
                    done(identities.open(one, ALL).nip44Decrypt(two, payload)));
            assertEquals(
                    vector.path("plaintext").asText(),
                    done(identities.open(two, ALL).nip44Decrypt(one, payload)));
        }
    }

    @Test
    void CR_02_aPeerKeyOffTheCurveIsRefused() throws Exception {
        Signer signer = identities.open(identities.create(null), ALL);
        for (String hex : List.of(
                "0000000000000000000000000000000000000000000000000000000000000000",
                "eb1f7200aecaa86682376fb1c13cd12b732221e774f553b0a0857f88fa20f86d",
                "709858a4c121e4a84eb59c0ded0261093c71e8ca29efeef21a6161c447bcaf9f",
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
                "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef")) {
            PublicKey peer = PublicKey.ofHex(hex);
            refused(Kind.REJECTED, "crypto.bad-pubkey", () -> done(signer.nip44Encrypt(peer, "text")));
            refused(Kind.REJECTED, "crypto.bad-pubkey", () -> done(signer.nip44Decrypt(peer, "A".repeat(132))));
        }
        assertEquals(0, identities.cachedConversations());
    }

    @Test
    void CR_03_04_06_08_refusalsOfTheCipherKeepTheirCodes() throws Exception {
        Signer signer = identities.open(identities.create(null), ALL);
        PublicKey peer = identities.create(null);
        refused(Kind.REJECTED, "crypto.bad-payload", () -> done(signer.nip44Decrypt(peer, "")));
        refused(Kind.REJECTED, "crypto.unsupported-version", () -> done(signer.nip44Decrypt(peer, "#")));
        refused(Kind.REJECTED, "crypto.bad-base64", () -> done(signer.nip44Decrypt(peer, "-".repeat(132))));
        refused(Kind.REJECTED, "crypto.too-large", () -> done(signer.nip44Decrypt(peer, "A".repeat(2_000_000))));
        refused(Kind.REJECTED, "crypto.empty", () -> done(signer.nip44Encrypt(peer, "")));
        refused(Kind.REJECTED, "crypto.bad-unicode", () -> done(signer.nip44Encrypt(peer, "\ud800")));
    }

    @Test
    void CR_09_loneSurrogateIsNotSigned() throws Exception {
        Signer signer = identities.open(identities.create(null), ALL);
        refused(
                Kind.REJECTED,
                "event.bad-unicode",
                () -> done(signer.sign(new EventTemplate(1, 22_242, List.of(), "\ud800"), Purpose.RELAY_AUTH)));
    }

    @Test
    void CR_26_anEmptySharedSecretIsNotUsed() throws Exception {
        FakeSlot<Secp256k1> broken = new FakeSlot<>(new ZeroAgreement(curve));
        LocalIdentities local = new LocalIdentities(new FakeContext(secrets, Seeds.secureRandom("CR_26")), broken);
        PublicKey peer = local.create(null);
        Signer signer = local.open(local.create(null), ALL);
        refused(Kind.REJECTED, "crypto.non-contributory", () -> done(signer.nip44Encrypt(peer, "text")));
        refused(Kind.REJECTED, "crypto.non-contributory", () -> done(signer.nip44Decrypt(peer, "A".repeat(132))));
        assertEquals(0, local.cachedConversations());
        assertEquals(0, broken.open());
    }

    @Test
    void CR_26_aNoteToSelfWorks() throws Exception {
        Signer signer = identities.open(identities.create(null), ALL);
        String payload = done(signer.nip44Encrypt(signer.publicKey(), "remember"));
        assertEquals("remember", done(signer.nip44Decrypt(signer.publicKey(), payload)));
    }

    @Test
    void CR_27_aDeadGeneratorMakesNoIdentity() {
        LocalIdentities local = new LocalIdentities(new FakeContext(secrets, new ZeroRandom()), slot);
        refused(Kind.INTERNAL, "crypto.rng", () -> local.create(null));
        assertEquals(List.of(), secrets.names());
    }

    @Test
    void CR_28_onlyKindsOfAGrantedPurposeAreSigned() throws Exception {
        PublicKey identity = identities.create(null);
        for (Purpose granted : Purpose.values()) {
            Signer signer = identities.open(identity, Set.of(granted));
            for (Purpose asked : Purpose.values()) {
                for (int kind :
                        new int[] {0, 1, 4, 5, 13, 14, 62, 1059, 10_002, 10_050, 10_063, 22_242, 24_242, 27_235}) {
                    EventTemplate template = new EventTemplate(1, kind, List.of(), "");
                    if (asked == granted && asked.covers(kind)) {
                        assertEquals(kind, done(signer.sign(template, asked)).kind());
                    } else {
                        refused(Kind.REJECTED, "sign.kind-denied", () -> done(signer.sign(template, asked)));
                    }
                }
            }
        }
        Signer none = identities.open(identity, Set.of());
        refused(Kind.REJECTED, "sign.kind-denied", () -> done(none.sign(auth(), Purpose.RELAY_AUTH)));
    }

    @Test
    void theGrantedPurposesCannotBeWidenedLater() throws Exception {
        Set<Purpose> purposes = EnumSet.of(Purpose.SEAL);
        Signer signer = identities.open(identities.create(null), purposes);
        purposes.add(Purpose.RELAY_AUTH);
        refused(Kind.REJECTED, "sign.kind-denied", () -> done(signer.sign(auth(), Purpose.RELAY_AUTH)));
    }

    @Test
    void badSecretsAreNotImported() {
        for (byte[] bad : List.of(new byte[0], new byte[31], new byte[33], new byte[32], ones())) {
            refused(Kind.REJECTED, "crypto.bad-secret", () -> identities.importKey(bad, null));
        }
        assertEquals(List.of(), secrets.names());
    }

    @Test
    void whoseAKeyIsCanBeAskedWithoutKeepingIt() throws Exception {
        byte[] secretKey = key(7);
        PublicKey identity = identities.identify(secretKey);
        assertEquals(List.of(), identities.list());
        assertEquals(identity, identities.importKey(secretKey, null));
        refused(Kind.REJECTED, "crypto.bad-secret", () -> identities.identify(new byte[32]));
        refused(Kind.REJECTED, "crypto.bad-secret", () -> identities.identify(new byte[31]));
    }

    @Test
    void theSameKeyAgainIsFineAndKeepsItsPassphrase() throws Exception {
        byte[] secretKey = key(7);
        PublicKey identity = identities.importKey(secretKey, "correct horse".toCharArray());
        assertEquals(identity, identities.importKey(secretKey, null));
        assertTrue(identities.locked(identity));
        assertEquals(List.of(identity), identities.list());
        assertArrayEquals(key(7), secretKey, "the argument stays the caller's");
        identities.importKey(secretKey, "another".toCharArray());
        refused(
                Kind.AUTHENTICATION,
                "vault.wrong-passphrase",
                () -> identities.unlock(identity, "correct horse".toCharArray()));
        identities.unlock(identity, "another".toCharArray());
    }

    @Test
    void aForgottenKeyDoesNothingAnyMoreAndLeavesNothing() throws Exception {
        PublicKey gone = identities.create(null);
        PublicKey kept = identities.create(null);
        Signer signer = identities.open(gone, ALL);
        String payload = done(signer.nip44Encrypt(kept, "hello"));
        assertEquals(1, identities.cachedConversations());

        assertTrue(identities.forget(gone));
        assertEquals(List.of(kept), identities.list());
        assertEquals(0, identities.cachedConversations(), "a conversation key would still read what was written");
        refused(Kind.REJECTED, "secret.missing", () -> done(signer.sign(auth(), Purpose.RELAY_AUTH)));
        refused(Kind.REJECTED, "secret.missing", () -> done(signer.nip44Decrypt(kept, payload)));
        refused(Kind.REJECTED, "identity.unknown", () -> identities.open(gone, ALL));
        assertTrue(identities.forget(gone), "again is no failure");
        assertEquals("hello", done(identities.open(kept, ALL).nip44Decrypt(gone, payload)));
    }

    @Test
    void aStrangersKeyIsUnknown() {
        PublicKey stranger = PublicKey.of(new byte[32]);
        refused(Kind.REJECTED, "identity.unknown", () -> identities.open(stranger, ALL));
        refused(Kind.REJECTED, "identity.unknown", () -> identities.locked(stranger));
        refused(Kind.REJECTED, "identity.unknown", () -> identities.unlock(stranger, new char[0]));
    }

    @Test
    void aLockedIdentityDoesNothingUntilItsPassphraseCame() throws Exception {
        PublicKey peer = identities.create(null);
        PublicKey identity = identities.create("correct horse".toCharArray());
        assertTrue(identities.locked(identity));
        Signer signer = identities.open(identity, ALL);
        locked(signer, peer);
        refused(
                Kind.AUTHENTICATION,
                "vault.wrong-passphrase",
                () -> identities.unlock(identity, "battery staple".toCharArray()));
        locked(signer, peer);
        identities.unlock(identity, "correct horse".toCharArray());
        assertFalse(identities.locked(identity));
        String payload = done(signer.nip44Encrypt(peer, "text"));
        assertEquals(1, identities.cachedConversations());
        secrets.lock();
        assertEquals(0, identities.cachedConversations(), "a cached conversation key would open messages while locked");
        locked(signer, peer);
        assertEquals("text", done(identities.open(peer, ALL).nip44Decrypt(identity, payload)));
    }

    @Test
    void aLockDuringAKeyAgreementLeavesNothingInTheCache() throws Exception {
        PublicKey peer = identities.create(null);
        Signer signer = identities.open(identities.create(null), ALL);
        boolean[] once = {true};
        secrets.beforeRead = () -> {
            if (once[0]) {
                once[0] = false;
                secrets.lock();
            }
        };
        done(signer.nip44Encrypt(peer, "text"));
        assertEquals(0, identities.cachedConversations());
        done(signer.nip44Encrypt(peer, "text"));
        assertEquals(1, identities.cachedConversations());
    }

    @Test
    void aKnownPeerCostsNoCurveOperation() throws Exception {
        PublicKey peer = identities.create(null);
        Signer signer = identities.open(identities.create(null), ALL);
        String payload = done(signer.nip44Encrypt(peer, "text"));
        int taken = slot.taken();
        for (int i = 0; i < 5; i++) {
            done(signer.nip44Encrypt(peer, "text"));
            done(signer.nip44Decrypt(peer, payload));
        }
        assertEquals(taken, slot.taken());
    }

    @Test
    void theCacheIsBoundedAndItsArraysAreItsOwn() {
        ConversationKeys keys = new ConversationKeys();
        PublicKey own = PublicKey.of(key(1));
        byte[] given = key(42);
        for (int i = 0; i < 3 * ConversationKeys.CAPACITY; i++) {
            keys.put(keys.generation(), own, peer(i), given);
            assertTrue(keys.size() <= ConversationKeys.CAPACITY);
            // Asking for the first one keeps it among those used last.
            assertArrayEquals(key(42), keys.get(own, peer(0)));
        }
        assertEquals(ConversationKeys.CAPACITY, keys.size());
        assertEquals(null, keys.get(own, peer(1)));
        byte[] got = keys.get(own, peer(0));
        keys.wipe();
        assertArrayEquals(key(42), got, "a copy in use is not wiped under its user");
        assertArrayEquals(key(42), given);
        assertEquals(0, keys.size());
        assertEquals(null, keys.get(own, peer(0)));
    }

    @Test
    void aClosedProviderIsUnavailable() throws Exception {
        PublicKey identity = identities.create(null);
        PublicKey peer = identities.create(null);
        Signer signer = identities.open(identity, ALL);
        done(signer.nip44Encrypt(peer, "text"));
        assertEquals(1, secrets.callbacks());
        identities.close();
        assertEquals(0, secrets.callbacks());
        assertEquals(0, identities.cachedConversations());
        refused(Kind.UNAVAILABLE, "identity.closed", () -> identities.list());
        refused(Kind.UNAVAILABLE, "identity.closed", () -> identities.create(null));
        refused(Kind.UNAVAILABLE, "identity.closed", () -> done(signer.sign(auth(), Purpose.RELAY_AUTH)));
        refused(Kind.UNAVAILABLE, "identity.closed", () -> done(signer.nip44Encrypt(peer, "text")));
    }

    @Test
    void anOddNameHidesNobody() throws Exception {
        PublicKey identity = identities.create(null);
        secrets.write("identity.not-a-key", new byte[32], null);
        secrets.write("device", new byte[32], null);
        assertEquals(List.of(identity), identities.list());
    }

    @Test
    void aKeyOfAnotherLengthIsCorruptNotUsed() throws Exception {
        PublicKey identity = identities.create(null);
        secrets.write("identity." + identity.hex(), new byte[16], null);
        Signer signer = identities.open(identity, ALL);
        refused(Kind.CORRUPT, "identity.bad-length", () -> done(signer.sign(auth(), Purpose.RELAY_AUTH)));
        secrets.handedOut.clear();
    }

    /** Positive control: the same search finds the key in the arrays the vault keeps. */
    @Test
    void noTextHoldsTheKey() throws Exception {
        byte[] secretKey = key(0x5a);
        Arrays.fill(secretKey, (byte) 0x5a);
        String canary = HexFormat.of().formatHex(secretKey);
        PublicKey identity = identities.importKey(secretKey, "canary-passphrase".toCharArray());
        identities.unlock(identity, "canary-passphrase".toCharArray());
        PublicKey peer = identities.create(null);
        Signer signer = identities.open(identity, ALL);
        List<String> texts = new ArrayList<>();
        texts.add(identities.toString());
        texts.add(signer.toString());
        texts.add(done(signer.sign(auth(), Purpose.RELAY_AUTH)).toString());
        PublicKey offCurve = PublicKey.of(new byte[32]);
        Stream.<Executable>of(
                        () -> done(signer.nip44Encrypt(offCurve, "canary-text")),
                        () -> done(signer.nip44Decrypt(peer, "canary-text")),
                        () -> done(signer.nip44Encrypt(peer, "canary-text\ud800")),
                        () -> done(signer.sign(
                                new EventTemplate(1, 22_242, List.of(), "canary-text\ud800"), Purpose.RELAY_AUTH)),
                        () -> identities.unlock(identity, "canary-wrong".toCharArray()),
                        () -> done(signer.sign(new EventTemplate(1, 1, List.of(), "canary-text"), Purpose.SEAL)))
                .forEach(call -> {
                    StringWriter trace = new StringWriter();
                    assertThrows(ProviderException.class, call).printStackTrace(new PrintWriter(trace));
                    texts.add(trace.toString());
                });
        for (String text : texts) {
            assertFalse(text.contains(canary), text);
            assertFalse(text.contains("canary"), text);
        }
        assertEquals(canary, HexFormat.of().formatHex(secrets.read("identity." + identity.hex())));
        secrets.handedOut.clear();
    }

    @Test
    void manyThreadsAndLocksAtOnce() throws Exception {
        PublicKey alice = identities.create(null);
        PublicKey bob = identities.create(null);
        Signer signer = identities.open(alice, ALL);
        String payload = done(signer.nip44Encrypt(bob, "text"));
        ExecutorService pool = Executors.newFixedThreadPool(6);
        try {
            List<Callable<Boolean>> work = new ArrayList<>();
            for (int thread = 0; thread < 5; thread++) {
                work.add(() -> {
                    for (int i = 0; i < 100; i++) {
                        if (!done(signer.nip44Decrypt(bob, payload)).equals("text")) {
                            return false;
                        }
                    }
                    return true;
                });
            }
            work.add(() -> {
                for (int i = 0; i < 200; i++) {
                    secrets.lock();
                }
                return true;
            });
            for (Future<Boolean> result : pool.invokeAll(work)) {
                assertTrue(result.get());
            }
        } finally {
            pool.shutdownNow();
        }
    }

    private void locked(Signer signer, PublicKey peer) {
        refused(Kind.AUTHENTICATION, "vault.locked", () -> done(signer.sign(auth(), Purpose.RELAY_AUTH)));
        refused(Kind.AUTHENTICATION, "vault.locked", () -> done(signer.nip44Encrypt(peer, "text")));
        refused(Kind.AUTHENTICATION, "vault.locked", () -> done(signer.nip44Decrypt(peer, "A".repeat(132))));
    }

    private static EventTemplate auth() {
        return new EventTemplate(1_700_000_000, 22_242, List.of(List.of("challenge", "c")), "");
    }

    private static <T> T done(CompletionStage<T> stage) throws ProviderException {
        assertTrue(stage.toCompletableFuture().isDone(), "a local signer answers at once");
        try {
            return stage.toCompletableFuture().get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ProviderException failure) {
                throw failure;
            }
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void refused(Kind kind, String code, Executable call) {
        ProviderException failure = assertThrows(ProviderException.class, call);
        assertEquals(code, failure.code(), failure.toString());
        assertEquals(kind, failure.kind(), failure.toString());
    }

    private static PublicKey peer(int number) {
        byte[] bytes = new byte[32];
        bytes[0] = (byte) (number >> 8);
        bytes[1] = (byte) number;
        return PublicKey.of(bytes);
    }

    private static byte[] key(int last) {
        byte[] bytes = new byte[32];
        bytes[31] = (byte) last;
        return bytes;
    }

    private static byte[] ones() {
        byte[] bytes = new byte[32];
        Arrays.fill(bytes, (byte) 0xff);
        return bytes;
    }

    private static byte[] hex(JsonNode node, String field) {
        return HexFormat.of().parseHex(node.path(field).asText());
    }

    /** A curve whose key agreement gives nothing. */
    private record ZeroAgreement(Secp256k1 curve) implements Secp256k1 {
        @Override
        public boolean verify(byte[] signature, byte[] message, byte[] publicKey) {
            return curve.verify(signature, message, publicKey);
        }

        @Override
        public byte[] sign(byte[] message, byte[] secretKey, byte[] auxiliary) throws ProviderException {
            return curve.sign(message, secretKey, auxiliary);
        }

        @Override
        public byte[] publicKey(byte[] secretKey) throws ProviderException {
            return curve.publicKey(secretKey);
        }

        @Override
        public byte[] ecdhX(byte[] secretKey, byte[] publicKey) {
            return new byte[32];
        }
    }

    private static final class ZeroRandom extends SecureRandom {
        private static final long serialVersionUID = 1L;

        @Override
        public void nextBytes(byte[] bytes) {
            Arrays.fill(bytes, (byte) 0);
        }
    }
}
