package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.testkit.Seeds;
import im.parley.testkit.Skipped;
import im.parley.testkit.Vectors;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class EventHashTest {
    private static final String NODE = """
            const crypto = require('crypto');
            const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(l => l);
            for (const line of lines) {
              const e = JSON.parse(line);
              const s = JSON.stringify([0, e.pubkey, e.created_at, e.kind, e.tags, e.content]);
              console.log(crypto.createHash('sha256').update(s, 'utf8').digest('hex'));
            }
            """;

    /** Written from the text of NIP-01 alone, code point by code point, without a line of the code under test. */
    private static EventId slow(Event event) throws Exception {
        StringBuilder text = new StringBuilder("[0,");
        text.append(quote(event.pubkey().hex()));
        text.append(String.format(",%d,%d,[", event.createdAt(), event.kind()));
        String tagSeparator = "";
        for (List<String> tag : event.tags()) {
            text.append(tagSeparator).append('[');
            text.append(String.join(",", tag.stream().map(EventHashTest::quote).toList()));
            text.append(']');
            tagSeparator = ",";
        }
        text.append("],").append(quote(event.content())).append(']');
        return EventId.of(
                MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private static String quote(String given) {
        StringBuilder text = new StringBuilder("\"");
        given.codePoints().forEach(point -> {
            String escape = switch (point) {
                case 0x0A -> "\\n";
                case 0x22 -> "\\\"";
                case 0x5C -> "\\\\";
                case 0x0D -> "\\r";
                case 0x09 -> "\\t";
                case 0x08 -> "\\b";
                case 0x0C -> "\\f";
                default -> point < 0x20 ? String.format("\\u%04x", point) : Character.toString(point);
            };
            text.append(escape);
        });
        return text.append('"').toString();
    }

    private static Event event(List<List<String>> tags, String content) throws ProtocolException {
        return new Event(
                EventHash.id(Samples.key(3), 1_700_000_000, 1, tags, content),
                Samples.key(3),
                1_700_000_000,
                1,
                tags,
                content,
                im.parley.api.event.Signature.of(new byte[64]));
    }

    /** 2,000 events: each awkward character alone and in a tag, then random mixtures and all code point borders. */
    private static List<Event> corpus() throws ProtocolException {
        List<Event> corpus = new ArrayList<>();
        List<Integer> points = new ArrayList<>(List.of(
                0x7F, 0x80, 0x7FF, 0x800, 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000,
                0x10FFFF));
        for (int c = 1; c < 0x20; c++) {
            points.add(c);
        }
        for (int point : points) {
            String text = Character.toString(point);
            corpus.add(event(List.of(), text));
            corpus.add(event(List.of(List.of("t", text), List.of(text)), "a" + text + "b"));
        }
        corpus.add(event(List.of(), "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67"));
        corpus.add(event(List.of(), "é"));
        corpus.add(event(List.of(), "e\u0301"));
        RandomGenerator random = Seeds.generator("EventHashTest");
        while (corpus.size() < 2_000) {
            StringBuilder any = new StringBuilder(Samples.text(random, 6));
            int count = random.nextInt(40);
            for (int i = 0; i < count; i++) {
                int point = random.nextInt(1, random.nextBoolean() ? 0x100 : 0x110000);
                any.appendCodePoint(point >= 0xD800 && point < 0xE000 ? 'x' : point);
            }
            corpus.add(event(Samples.tags(random), any.toString()));
        }
        return corpus;
    }

    @Test
    void CR_12_idsEqualThoseOfASlowSerializer() throws Exception {
        for (Event event : corpus()) {
            assertEquals(slow(event), event.id(), () -> EventWriter.write(event));
            assertEquals(event, EventReader.read(EventWriter.write(event)));
        }
    }

    @Test
    void CR_12_idsEqualThoseOfJsonStringify() throws Exception {
        Path node = Skipped.tool("node");
        List<Event> corpus = corpus();
        Process process = new ProcessBuilder(node.toString(), "-e", NODE).start();
        try (Writer out = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8)) {
            for (Event event : corpus) {
                out.write(EventWriter.write(event));
                out.write('\n');
            }
        }
        try (BufferedReader in =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (Event event : corpus) {
                assertEquals(in.readLine(), event.id().hex(), () -> EventWriter.write(event));
            }
        } finally {
            process.destroy();
        }
    }

    @Test
    void CR_12_nulHashesAsJsonStringifyWouldAndFormsOfUnicodeStayApart() throws Exception {
        assertEquals(
                HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256")
                                .digest(("[0,\"" + Samples.key(3) + "\",1700000000,1,[],\"\\u0000\"]")
                                        .getBytes(StandardCharsets.UTF_8))),
                event(List.of(), "\u0000").id().hex());
        assertNotEquals(event(List.of(), "é").id(), event(List.of(), "e\u0301").id());
    }

    @Test
    void CR_11_everySpellingOfAnEventHasOneId() throws Exception {
        Event event = Samples.signed(
                Seeds.generator("CR-11"), 1_700_000_000, 1, List.of(List.of("t", "A/é")), "A/é \ud83d\ude80");
        String sig = "\"sig\":\"" + event.sig() + "\"";
        String id = "\"id\":\"" + event.id() + "\"";
        String pubkey = "\"pubkey\":\"" + event.pubkey() + "\"";
        List<String> spellings = List.of(
                "{" + id + "," + pubkey
                        + ",\"created_at\":1700000000,\"kind\":1,\"tags\":[[\"t\",\"A/é\"]],\"content\":\"A/é \ud83d\ude80\","
                        + sig + "}",
                "{" + id + "," + pubkey
                        + ",\"created_at\":1700000000,\"kind\":1,\"tags\":[[\"t\",\"\\u0041\\/\\u00e9\"]],"
                        + "\"content\":\"\\u0041\\/\\u00E9\\u0020\\uD83D\\ude80\"," + sig + "}",
                " {\n\t" + sig
                        + " , \"content\" : \"A/é \ud83d\ude80\" ,\r\n\"tags\" : [ [ \"t\" , \"A\\/é\" ] ] , \"kind\" : 1 ,"
                        + " \"created_at\" : 1700000000 , \"x\" : [ ] , " + pubkey + " , " + id + " } \n");
        for (String spelling : spellings) {
            Event read = EventReader.read(spelling);
            assertEquals(event, read);
            EventVerifier.verify(read, Samples.CURVE);
            assertEquals(EventWriter.write(event), EventWriter.write(read));
        }
    }

    @Test
    void examplesOfTheNipsHaveTheIdsPrintedThere() throws Exception {
        int count = 0;
        for (JsonNode row : Vectors.json("nips/events_in_nips.json")) {
            if (row.get("id_valid").asBoolean() && row.get("event").has("sig")) {
                Event event = EventReader.read(row.get("event").toString());
                assertEquals(
                        event.id(),
                        EventHash.id(event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content()));
                count++;
            }
        }
        assertNotEquals(0, count);
        System.out.println("events printed in the NIPs whose id was recomputed: " + count);
    }
}
