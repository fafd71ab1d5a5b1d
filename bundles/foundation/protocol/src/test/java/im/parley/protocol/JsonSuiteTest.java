package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Vectors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** JSONTestSuite against the reader that all others stand on. */
class JsonSuiteTest {
    /** Legal JSON that we refuse on purpose: a key stands twice. */
    private static final Set<String> STRICTER =
            Set.of("y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json");

    private static void read(byte[] bytes) throws ProtocolException {
        try (Json reader = Json.open(Texts.utf8(bytes), 1 << 20)) {
            reader.next();
            reader.skip();
            reader.end();
        }
    }

    @Test
    void acceptsWhatMustBeAcceptedAndRefusesWhatMustBeRefused() throws Exception {
        int accepted = 0;
        int refused = 0;
        int free = 0;
        for (Path file : Vectors.files("json/test_parsing")) {
            String name = file.getFileName().toString();
            byte[] bytes = Files.readAllBytes(file);
            if (name.startsWith("y_") && !STRICTER.contains(name)) {
                try {
                    read(bytes);
                } catch (ProtocolException e) {
                    throw new AssertionError(name + " must be accepted, not refused as " + e.token(), e);
                }
                accepted++;
            } else if (name.startsWith("n_") || STRICTER.contains(name)) {
                assertThrows(ProtocolException.class, () -> read(bytes), name);
                refused++;
            } else {
                try {
                    read(bytes);
                } catch (ProtocolException e) {
                    assertTrue(!e.token().isEmpty());
                }
                free++;
            }
        }
        System.out.println("JSONTestSuite: accepted " + accepted + ", refused " + refused + ", either way " + free);
        assertTrue(accepted > 90 && refused > 180);
    }
}
