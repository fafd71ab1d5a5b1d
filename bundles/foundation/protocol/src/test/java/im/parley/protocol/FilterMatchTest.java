package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.testkit.Seeds;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class FilterMatchTest {
    /** NIP-01 read aloud, over JSON trees: no sets, no types, nothing shared with the code under test. */
    private static boolean dumb(JsonNode filter, JsonNode event) {
        boolean matches = true;
        for (var condition : filter.properties()) {
            JsonNode wanted = condition.getValue();
            boolean holds = switch (condition.getKey()) {
                case "ids" -> contains(wanted, event.get("id"));
                case "authors" -> contains(wanted, event.get("pubkey"));
                case "kinds" -> contains(wanted, event.get("kind"));
                case "since" -> event.get("created_at").asLong() >= wanted.asLong();
                case "until" -> event.get("created_at").asLong() <= wanted.asLong();
                case "limit" -> true;
                default -> {
                    boolean any = false;
                    for (JsonNode tag : event.get("tags")) {
                        any |= ("#" + tag.get(0).asText()).equals(condition.getKey())
                                && tag.has(1)
                                && contains(wanted, tag.get(1));
                    }
                    yield any;
                }
            };
            matches &= holds;
        }
        return matches;
    }

    private static boolean contains(JsonNode list, JsonNode value) {
        for (JsonNode one : list) {
            if (one.asText().equals(value.asText())) {
                return true;
            }
        }
        return false;
    }

    @Test
    void agreesWithADumbTwin() throws Exception {
        RandomGenerator random = Seeds.generator("FilterMatchTest");
        ObjectMapper mapper = new ObjectMapper();
        int matches = 0;
        for (int i = 0; i < 20_000; i++) {
            Event plain = Samples.unsigned(random);
            // Ids of a small set, so that conditions on ids meet some.
            Event event = new Event(
                    Samples.id(random.nextInt(3)),
                    plain.pubkey(),
                    plain.createdAt(),
                    plain.kind(),
                    plain.tags(),
                    plain.content(),
                    plain.sig());
            Filter filter = Samples.filter(random);
            String filterJson = Frames.writeFilter(filter);
            String eventJson = EventWriter.write(event);
            boolean expected = dumb(mapper.readTree(filterJson), mapper.readTree(eventJson));
            assertEquals(expected, FilterMatch.matches(filter, event), () -> filterJson + " against " + eventJson);
            matches += expected ? 1 : 0;
        }
        System.out.println("filter pairs: 20000, matches " + matches);
        assertTrue(matches > 1_000 && matches < 19_000, "too one-sided to prove anything: " + matches);
    }

    @Test
    void onlyTheFirstValueOfASingleLetterTagCounts() throws Exception {
        Event event = new Event(
                Samples.id(1),
                Samples.key(1),
                10,
                1,
                List.of(List.of("t", "first", "second"), List.of("tt", "long"), List.of("t")),
                "",
                im.parley.api.event.Signature.of(new byte[64]));
        assertTrue(
                FilterMatch.matches(Filter.builder().tag('t', List.of("first")).build(), event));
        assertFalse(
                FilterMatch.matches(Filter.builder().tag('t', List.of("second")).build(), event));
        assertFalse(
                FilterMatch.matches(Filter.builder().tag('T', List.of("first")).build(), event));
        assertFalse(FilterMatch.matches(Filter.builder().tag('t', List.of()).build(), event));
        assertFalse(FilterMatch.matches(Filter.builder().kinds(List.of()).build(), event));
        assertTrue(FilterMatch.matches(
                Filter.builder().since(10).until(10).limit(0).build(), event));
        assertFalse(FilterMatch.matches(Filter.builder().since(11).build(), event));
        assertFalse(FilterMatch.matches(Filter.builder().until(9).build(), event));
        assertTrue(FilterMatch.matches(Filter.builder().build(), event));
    }
}
