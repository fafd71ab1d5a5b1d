package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class EventVerifierTest {
    private final RandomGenerator random = Seeds.generator("EventVerifierTest");

    private static Event with(Event event, PublicKey pubkey, Signature sig) throws ProtocolException {
        EventId id = EventHash.id(pubkey, event.createdAt(), event.kind(), event.tags(), event.content());
        return new Event(id, pubkey, event.createdAt(), event.kind(), event.tags(), event.content(), sig);
    }

    private Event note(String content) throws ProtocolException {
        return Samples.signed(random, 1_700_000_000, 1, List.of(List.of("t", "x")), content);
    }

    @Test
    void anAuthenticEventPasses() throws Exception {
        EventVerifier.verify(note("hello"), Samples.CURVE);
        EventVerifier.verify(EventReader.read(EventWriter.write(note("\u0001é\ud83d\ude80"))), Samples.CURVE);
    }

    @Test
    void CR_17_signatureOutOfRangeIsRefusedWithoutAnyOtherException() throws Exception {
        Event event = note("x");
        String r = event.sig().hex().substring(0, 64);
        String s = event.sig().hex().substring(64);
        String p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
        String n = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        String zero = "0".repeat(64);
        for (String sig :
                List.of(p + s, "f".repeat(64) + s, r + n, r + "f".repeat(64), zero + s, r + zero, zero + zero)) {
            refused(
                    "sig",
                    sig,
                    () -> EventVerifier.verify(with(event, event.pubkey(), Signature.ofHex(sig)), Samples.CURVE));
        }
        String offCurve = "eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34";
        for (String key : List.of(offCurve, p, "f".repeat(64), zero)) {
            refused(
                    "sig",
                    key,
                    () -> EventVerifier.verify(with(event, PublicKey.ofHex(key), event.sig()), Samples.CURVE));
        }
    }

    @Test
    void CR_17_failingBip340VectorsFailInsideAnEvent() throws Exception {
        int count = 0;
        for (List<String> row : Vectors.csv("bip340/test-vectors.csv")) {
            if (row.get(6).equals("FALSE")) {
                PublicKey key = PublicKey.ofHex(row.get(2).toLowerCase(Locale.ROOT));
                Signature sig = Signature.ofHex(row.get(5).toLowerCase(Locale.ROOT));
                refused("sig", row.get(7), () -> EventVerifier.verify(with(note("x"), key, sig), Samples.CURVE));
                count++;
            }
        }
        assertNotEquals(0, count);
    }

    @Test
    void CR_18_idAndSignatureMustBelongToTheBody() throws Exception {
        Event a = note("a");
        Event b = note("b");
        refused(
                "id",
                () -> EventVerifier.verify(
                        new Event(a.id(), b.pubkey(), b.createdAt(), b.kind(), b.tags(), b.content(), a.sig()),
                        Samples.CURVE));
        refused(
                "id",
                () -> EventVerifier.verify(
                        new Event(a.id(), a.pubkey(), a.createdAt(), a.kind(), a.tags(), b.content(), a.sig()),
                        Samples.CURVE));
        refused("sig", () -> EventVerifier.verify(with(b, b.pubkey(), a.sig()), Samples.CURVE));
        refused("sig", () -> EventVerifier.verify(with(a, b.pubkey(), a.sig()), Samples.CURVE));
    }

    @Test
    void CR_18_signatureOverTheHexTextIsRefused() throws Exception {
        byte[] secret = new byte[32];
        secret[31] = 7;
        PublicKey pubkey = PublicKey.of(Samples.CURVE.publicKey(secret));
        EventId id = EventHash.id(pubkey, 1, 1, List.of(), "x");
        byte[] overText = MessageDigest.getInstance("SHA-256").digest(id.hex().getBytes(StandardCharsets.US_ASCII));
        Signature sig = Signature.of(Samples.CURVE.sign(overText, secret, new byte[32]));
        refused("sig", () -> EventVerifier.verify(new Event(id, pubkey, 1, 1, List.of(), "x", sig), Samples.CURVE));
    }

    @Test
    void CR_19_aVerifiedIdSaysNothingAboutTheNextBody() throws Exception {
        Event event = note("true");
        for (int i = 0; i < 3; i++) {
            EventVerifier.verify(event, Samples.CURVE);
            for (Event forged : List.of(
                    new Event(event.id(), event.pubkey(), event.createdAt(), 1, event.tags(), "false", event.sig()),
                    new Event(event.id(), event.pubkey(), event.createdAt(), 1, List.of(), "true", event.sig()),
                    new Event(event.id(), event.pubkey(), event.createdAt() + 1, 1, event.tags(), "true", event.sig()),
                    new Event(event.id(), event.pubkey(), event.createdAt(), 2, event.tags(), "true", event.sig()))) {
                refused("id", () -> EventVerifier.verify(forged, Samples.CURVE));
            }
        }
    }

    @Test
    void everyBitOfTheSignatureCounts() throws Exception {
        Event event = note("bits");
        for (int bit = 0; bit < 512; bit++) {
            byte[] sig = event.sig().bytes();
            sig[bit / 8] ^= (byte) (1 << bit % 8);
            refused("sig", () -> EventVerifier.verify(with(event, event.pubkey(), Signature.of(sig)), Samples.CURVE));
        }
    }

    @Test
    void examplesOfTheNipsVerifyAsMarked() throws Exception {
        int good = 0;
        for (JsonNode row : Vectors.json("nips/events_in_nips.json")) {
            if (!row.get("event").has("sig")) {
                continue;
            }
            Event event = EventReader.read(row.get("event").toString());
            if (row.get("id_valid").asBoolean() && row.get("sig_valid").asBoolean()) {
                EventVerifier.verify(event, Samples.CURVE);
                good++;
            } else {
                refused(
                        row.get("id_valid").asBoolean() ? "sig" : "id",
                        () -> EventVerifier.verify(event, Samples.CURVE));
            }
        }
        assertNotEquals(0, good);
    }
}
