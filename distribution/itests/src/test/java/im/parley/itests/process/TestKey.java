package im.parley.itests.process;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventWriter;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.List;

/** A key of the test's own, to play a stranger, a peer or an attacker. */
final class TestKey {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final BouncyCastleSecp256k1 CURVE = new BouncyCastleSecp256k1();

    private final byte[] secret = new byte[32];
    private final PublicKey pubkey;

    TestKey() throws Exception {
        RANDOM.nextBytes(secret);
        pubkey = PublicKey.of(CURVE.publicKey(secret));
    }

    PublicKey pubkey() {
        return pubkey;
    }

    /** Event JSON, signed now. */
    String sign(int kind, List<List<String>> tags, String content) throws Exception {
        return sign(Instant.now().getEpochSecond(), kind, tags, content);
    }

    String sign(long createdAt, int kind, List<List<String>> tags, String content) throws Exception {
        EventId id = EventHash.id(pubkey, createdAt, kind, tags, content);
        byte[] auxiliary = new byte[32];
        RANDOM.nextBytes(auxiliary);
        Signature signature = Signature.of(CURVE.sign(id.bytes(), secret, auxiliary));
        return EventWriter.write(new Event(id, pubkey, createdAt, kind, tags, content, signature));
    }
}
