package im.parley.tck.storage;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Events and filters for store tests. Ids are right (NIP-01), because a store may recompute them; signatures are only
 * bytes, because a store is handed verified events. Drawn from small pools, so that ties, collisions and matches are
 * frequent. Not thread-safe.
 */
public final class SampleEvents {
    private static final int[] KINDS = {0, 1, 1, 3, 7, 1059, 10_002, 10_050, 30_023, 30_078};
    private static final String[] LETTERS = {"e", "p", "t", "d", "E", "P", "T", "client", "dd"};
    private static final String[] VALUES = {"", "a", "A", "aa", "b", "sallām سلام", "नमस्ते", "🜁", "a b", " a"};
    private static final long FIRST_SECOND = 1_700_000_000L;
    private static final int SECONDS = 40;
    private static final int AUTHORS = 6;

    private final RandomGenerator random;

    public SampleEvents(RandomGenerator random) {
        this.random = random;
    }

    /** The same 32 bytes for the same number; not on the curve. */
    public static PublicKey author(int number) {
        return PublicKey.of(sha256("author " + number));
    }

    /** An event with its right id. */
    public static Event event(PublicKey author, long createdAt, int kind, List<List<String>> tags, String content) {
        byte[] id = sha256(canonical(author, createdAt, kind, tags, content));
        byte[] signature = new byte[Signature.LENGTH];
        System.arraycopy(sha256("signature one of " + EventId.of(id)), 0, signature, 0, 32);
        System.arraycopy(sha256("signature two of " + EventId.of(id)), 0, signature, 32, 32);
        return new Event(EventId.of(id), author, createdAt, kind, tags, content, Signature.of(signature));
    }

    /** A note without tags by author 0. */
    public static Event note(long createdAt, String content) {
        return event(author(0), createdAt, 1, List.of(), content);
    }

    /** Any event of the pools. */
    public Event event() {
        List<List<String>> tags = new ArrayList<>();
        int count = random.nextInt(4);
        for (int i = 0; i < count; i++) {
            tags.add(tag());
        }
        return event(
                author(random.nextInt(AUTHORS)),
                FIRST_SECOND + random.nextInt(SECONDS),
                KINDS[random.nextInt(KINDS.length)],
                tags,
                "content " + random.nextInt(1_000_000));
    }

    private List<String> tag() {
        String name = LETTERS[random.nextInt(LETTERS.length)];
        return switch (random.nextInt(6)) {
            case 0 -> List.of(name);
            case 1 -> List.of(name, value(), value());
            default -> List.of(name, value());
        };
    }

    private String value() {
        return VALUES[random.nextInt(VALUES.length)];
    }

    /** Any filter of the pools; some of its ids are of the given events. */
    public Filter filter(List<Event> known) {
        Filter.Builder filter = Filter.builder();
        if (random.nextInt(8) == 0) {
            filter.ids(some(
                    6,
                    () -> known.isEmpty() || random.nextInt(4) == 0
                            ? event().id()
                            : known.get(random.nextInt(known.size())).id()));
        }
        if (random.nextInt(3) == 0) {
            filter.authors(some(4, () -> author(random.nextInt(AUTHORS + 1))));
        }
        if (random.nextInt(3) == 0) {
            filter.kinds(some(4, () -> KINDS[random.nextInt(KINDS.length)]));
        }
        int letters = random.nextInt(3) == 0 ? 1 + random.nextInt(2) : 0;
        for (int i = 0; i < letters; i++) {
            filter.tag(LETTERS[random.nextInt(7)].charAt(0), some(4, this::value));
        }
        if (random.nextInt(4) == 0) {
            filter.since(FIRST_SECOND + random.nextInt(SECONDS));
        }
        if (random.nextInt(4) == 0) {
            filter.until(FIRST_SECOND + random.nextInt(SECONDS));
        }
        if (random.nextInt(3) == 0) {
            filter.limit(random.nextInt(30));
        }
        return filter.build();
    }

    /** Mostly 1 to {@code atMost} values, now and then none. */
    private <T> List<T> some(int atMost, java.util.function.Supplier<T> source) {
        int count = random.nextInt(20) == 0 ? 0 : 1 + random.nextInt(atMost);
        List<T> values = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            values.add(source.get());
        }
        return values;
    }

    private static String canonical(
            PublicKey author, long createdAt, int kind, List<List<String>> tags, String content) {
        StringBuilder json = new StringBuilder("[0,\"").append(author.hex()).append("\",");
        json.append(createdAt).append(',').append(kind).append(",[");
        for (int i = 0; i < tags.size(); i++) {
            json.append(i == 0 ? "[" : ",[");
            for (int j = 0; j < tags.get(i).size(); j++) {
                json.append(j == 0 ? "" : ",");
                quote(json, tags.get(i).get(j));
            }
            json.append(']');
        }
        json.append("],");
        quote(json, content);
        return json.append(']').toString();
    }

    private static void quote(StringBuilder json, String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                default -> json.append(c);
            }
        }
        json.append('"');
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
