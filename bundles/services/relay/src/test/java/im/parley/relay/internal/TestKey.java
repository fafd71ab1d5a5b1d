package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.EventHash;
import java.security.SecureRandom;
import java.util.List;

/** Somebody who signs events. */
final class TestKey {
    static final BouncyCastleSecp256k1 CURVE = new BouncyCastleSecp256k1();

    private final byte[] secret = new byte[32];
    private final PublicKey publicKey;

    TestKey(SecureRandom random) {
        random.nextBytes(secret);
        try {
            publicKey = PublicKey.of(CURVE.publicKey(secret));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    PublicKey publicKey() {
        return publicKey;
    }

    String hex() {
        return publicKey.hex();
    }

    Event event(long createdAt, int kind, List<List<String>> tags, String content) {
        try {
            EventId id = EventHash.id(publicKey, createdAt, kind, tags, content);
            return new Event(id, publicKey, createdAt, kind, tags, content, sign(id.bytes()));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    Signature sign(byte[] message) {
        try {
            return Signature.of(CURVE.sign(message, secret, new byte[32]));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
