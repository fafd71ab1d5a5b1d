package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

class RelaySettingsTest {
    @Test
    void settingsNameWhatIsWrong() {
        for (Map.Entry<String, Object> wrong : Map.<String, Object>of(
                        "maxMessageLength", 100,
                        "maxLimit", 0,
                        "maxContentLength", 1_000_000,
                        "workers", 65,
                        "backlogKib", 8_191,
                        "filterKib", 63,
                        "filtersAtOnce", 199,
                        "pubkey", "ABC",
                        "urls", new String[0])
                .entrySet()) {
            IllegalArgumentException e = assertThrows(
                    IllegalArgumentException.class,
                    () -> RelaySettings.of(Bench.configuration(Map.of(wrong.getKey(), wrong.getValue()))));
            String text = String.valueOf(e.getMessage());
            assertTrue(text.startsWith("im.parley.relay: " + wrong.getKey() + " is "), text);
        }
        assertThrows(
                IllegalArgumentException.class,
                () -> RelaySettings.of(Bench.configuration(Map.of("urls", new String[] {"http://127.0.0.1:7470"}))));
        assertThrows(
                IllegalArgumentException.class,
                () -> RelaySettings.of(Bench.configuration(Map.of("maxEventTags", 9_001))),
                "all targets of a request to delete fit into one batch of the store");
    }
}
