package im.parley.files.http.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventWriter;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Somebody with blobs, who signs tokens. */
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
            Signature sig = Signature.of(CURVE.sign(id.bytes(), secret, new byte[32]));
            return new Event(id, publicKey, createdAt, kind, tags, content, sig);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** A token as clients make it, good for an hour. */
    String token(long now, String verb, String... hashes) {
        return header(event(now, 24242, tags(now, verb, hashes), "Do it"));
    }

    static List<List<String>> tags(long now, String verb, String... hashes) {
        List<List<String>> tags = new ArrayList<>();
        tags.add(List.of("t", verb));
        tags.add(List.of("expiration", Long.toString(now + 3_600)));
        for (String hash : hashes) {
            tags.add(List.of("x", hash));
        }
        return tags;
    }

    static String header(Event event) {
        byte[] json = EventWriter.write(event).getBytes(StandardCharsets.UTF_8);
        return "Nostr " + Base64.getUrlEncoder().withoutPadding().encodeToString(json);
    }
}
