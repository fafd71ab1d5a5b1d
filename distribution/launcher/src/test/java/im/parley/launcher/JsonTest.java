package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    private static Map<String, Object> read(String text) throws IOException {
        return Json.object(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void roundTrip() throws IOException {
        Map<String, Object> value =
                Map.of("t", "ش \uD83D\uDE00 \"\\\n", "n", 7L, "d", 0.5, "l", List.of(true, "x"), "o", Map.of("k", 1L));
        assertEquals(value, Json.object(Json.compact(value)));
        assertEquals(value, Json.object(Json.pretty(value)));
    }

    @Test
    void nullIsAbsent() throws IOException {
        assertEquals(Map.of(), read("{\"a\":null}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{\"a\":1,\"a\":2}",
                "{} {}",
                "{\"a\":[null]}",
                "{\"a\":1",
                "{\"n\":99999999999999999999}"
            })
    void whatIsNotOneObjectIsRefused(String text) {
        assertThrows(IOException.class, () -> read(text));
    }

    @Test
    void typesAreChecked() throws IOException {
        Map<String, Object> value = read("{\"s\":\"x\",\"l\":[1]}");
        assertThrows(IOException.class, () -> Json.number(value, "s"));
        assertThrows(IOException.class, () -> Json.text(value, "absent"));
        assertThrows(IOException.class, () -> Json.texts(value, "l"));
        assertThrows(IOException.class, () -> Json.objects(value, "l"));
        assertThrows(IOException.class, () -> Json.member(value, "s"));
    }
}
