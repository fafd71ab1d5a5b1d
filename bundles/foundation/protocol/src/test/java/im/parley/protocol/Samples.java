package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.ProviderException;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.function.Executable;

/** Events, filters and texts for the tests; random ones draw from small sets, so that things meet. */
final class Samples {
    static final Secp256k1 CURVE = new BouncyCastleSecp256k1();

    private static final String[] SNIPPETS = {
        "a",
        "Z",
        " ",
        "0",
        "\"",
        "\\",
        "/",
        "\b",
        "\f",
        "\n",
        "\r",
        "\t",
        "\u0001",
        "\u000b",
        "\u001f",
        "\u007f",
        "\u0080",
        "é",
        "e\u0301",
        "\u07ff",
        "\u0800",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\ufffe",
        "\uffff",
        "مرحبا",
        "नमस्ते",
        "\ud83d\udc69\u200d\ud83d\ude80",
        "\udbff\udfff",
        "\ud800\udc00",
        "<script>",
        "\\u0041",
        "{}",
        "[]",
        "null"
    };

    private Samples() {}

    static byte[] bytes(RandomGenerator random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    static String text(RandomGenerator random, int maxSnippets) {
        StringBuilder text = new StringBuilder();
        int count = random.nextInt(maxSnippets + 1);
        for (int i = 0; i < count; i++) {
            text.append(SNIPPETS[random.nextInt(SNIPPETS.length)]);
        }
        return text.toString();
    }

    static List<List<String>> tags(RandomGenerator random) {
        List<List<String>> tags = new ArrayList<>();
        int count = random.nextInt(5);
        for (int i = 0; i < count; i++) {
            List<String> tag = new ArrayList<>();
            tag.add(List.of("e", "p", "t", "T", "d", "alt", "").get(random.nextInt(7)));
            int values = random.nextInt(4);
            for (int j = 0; j < values; j++) {
                boolean reference =
                        j == 0 && (tag.get(0).equals("e") || tag.get(0).equals("p"));
                tag.add(reference ? key(random.nextInt(4)).hex() : text(random, 2));
            }
            tags.add(tag);
        }
        return tags;
    }

    /** One of a few keys; not on the curve. */
    static PublicKey key(int number) {
        byte[] bytes = new byte[32];
        bytes[0] = (byte) 0xA0;
        bytes[31] = (byte) number;
        return PublicKey.of(bytes);
    }

    static EventId id(int number) {
        byte[] bytes = new byte[32];
        bytes[0] = (byte) (number << 4);
        bytes[31] = (byte) number;
        return EventId.of(bytes);
    }

    /** Well-formed, with a right id and a signature of noise. */
    static Event unsigned(RandomGenerator random) throws ProtocolException {
        PublicKey pubkey = key(random.nextInt(4));
        long createdAt = random.nextInt(6) == 0 ? random.nextLong(1L << 53) : 1_700_000_000 + random.nextInt(8);
        int kind = List.of(0, 1, 5, 14, 1059, 10002, 21059, 30078, 65535).get(random.nextInt(9));
        List<List<String>> tags = tags(random);
        String content = text(random, 12);
        EventId id = EventHash.id(pubkey, createdAt, kind, tags, content);
        return new Event(id, pubkey, createdAt, kind, tags, content, Signature.of(bytes(random, 64)));
    }

    static Event signed(RandomGenerator random, long createdAt, int kind, List<List<String>> tags, String content)
            throws ProtocolException {
        byte[] secret = bytes(random, 32);
        secret[0] &= 0x7F;
        secret[31] |= 1;
        try {
            PublicKey pubkey = PublicKey.of(CURVE.publicKey(secret));
            EventId id = EventHash.id(pubkey, createdAt, kind, tags, content);
            byte[] sig = CURVE.sign(id.bytes(), secret, bytes(random, 32));
            return new Event(id, pubkey, createdAt, kind, tags, content, Signature.of(sig));
        } catch (ProviderException e) {
            throw new AssertionError(e);
        }
    }

    static Filter filter(RandomGenerator random) {
        Filter.Builder filter = Filter.builder();
        if (random.nextInt(6) == 0) {
            filter.ids(some(random, 3, Samples::id));
        }
        if (random.nextInt(2) == 0) {
            filter.authors(some(random, 4, Samples::key));
        }
        if (random.nextInt(2) == 0) {
            filter.kinds(some(random, 5, n -> List.of(0, 1, 14, 1059, 10002).get(n)));
        }
        if (random.nextInt(4) == 0) {
            filter.tag('p', some(random, 4, n -> key(n).hex()));
        }
        if (random.nextInt(4) == 0) {
            filter.tag(random.nextBoolean() ? 't' : 'T', some(random, 12, n -> SNIPPETS[n]));
        }
        if (random.nextInt(4) == 0) {
            filter.since(1_700_000_000 + random.nextInt(8));
        }
        if (random.nextInt(4) == 0) {
            filter.until(1_700_000_000 + random.nextInt(8));
        }
        if (random.nextInt(4) == 0) {
            filter.limit(random.nextInt(3));
        }
        return filter.build();
    }

    private static <T> List<T> some(RandomGenerator random, int universe, java.util.function.IntFunction<T> value) {
        List<T> values = new ArrayList<>();
        int count = random.nextInt(universe + 1);
        for (int i = 0; i < count; i++) {
            values.add(value.apply(random.nextInt(universe)));
        }
        return values;
    }

    static void refused(String token, Executable reading) {
        refused(token, "the input", reading);
    }

    static void refused(String token, String what, Executable reading) {
        ProtocolException fault = assertThrows(ProtocolException.class, reading, what);
        assertEquals(token, fault.token(), what);
    }
}
