package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Seeds;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class PlainTest {
    @Test
    void rightToLeftNamesAreIsolatedAndOthersLeftAlone() {
        assertEquals("\u2068\u0639\u0644\u064A\u2069", Plain.line("\u0639\u0644\u064A"));
        assertEquals(
                "\u0928\u092E\u0938\u094D\u0924\u0947 \uD83D\uDE80",
                Plain.line("\u0928\u092E\u0938\u094D\u0924\u0947 \uD83D\uDE80"));
    }

    @Test
    void controlsNeverGetThrough() {
        for (int c = 0; c < 0x10000; c++) {
            boolean control = Character.isISOControl(c) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
            if (control) {
                assertEquals(-1, Plain.line("a" + (char) c + "b").indexOf(c), Integer.toHexString(c));
            }
            if (control && c != '\n') {
                assertEquals(-1, Plain.message("a" + (char) c + "b", 0).indexOf(c), Integer.toHexString(c));
            }
        }
    }

    @Test
    void everyLineOfAMessageStandsBehindTheBar() {
        assertEquals(
                "  \u2502 a\n  \u2502\u0020\n  \u2502 b\n  \u2502 c\n  \u2502 d\n",
                Plain.message("a\n\nb\r\nc\u2028d", 0));
        assertEquals("  \u2502 " + "x".repeat(500) + "\n", Plain.message("x".repeat(500), 0));
    }

    @Test
    void longLineCannotFakeAnotherOneAtTheEdgeOfTheTerminal() {
        String fake = " ".repeat(38) + "2026-01-01 10:00  bob -> alice  [received]";
        List<String> lines = Plain.message(fake, 40).lines().toList();
        assertTrue(lines.size() > 1, lines.toString());
        for (String line : lines) {
            assertTrue(line.startsWith("  \u2502 "), line);
            assertTrue(line.length() <= 40, line);
        }
        assertEquals(
                "  \u2502 one two\n  \u2502 three\n",
                Plain.message("one two three", 12),
                "lines are cut between words");
    }

    @Test
    void wideAndUnusualCharactersDoNotReachOverTheEdge() {
        RandomGenerator random = Seeds.generator("wide");
        int[] some = {'a', ' ', 0x4E2D, 0x1F680, 0x0301, 0xFE0F, 0x231A, 0x200D, 0xAD, 0xAC00, 0x05D0, 0x202B};
        for (int round = 0; round < 200; round++) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < 100; i++) {
                text.appendCodePoint(some[random.nextInt(some.length)]);
            }
            for (String line : Plain.message(text.toString(), 30).lines().toList()) {
                int columns = line.codePoints()
                        .map(c -> switch (c) {
                            case 0x4E2D, 0x1F680, 0x231A, 0xAC00 -> 2;
                            case 0x0301, 0x200D, 0x2068, 0x2069 -> 0;
                            default -> 1;
                        })
                        .sum();
                assertTrue(columns <= 30, () -> columns + ": " + line);
            }
        }
    }

    @Test
    void directionOfAMessageEndsWithItsLine() {
        assertEquals(
                "  \u2502 \u2068\u0645\u0631\u062D\u2069\n  \u2502 b\n", Plain.message("\u0645\u0631\u062D\nb", 0));
        // Overrides are shown to have been there; marks around a pasted number are only left out.
        assertEquals("  \u2502 a\uFFFDb +49 30\n", Plain.message("a\u202Eb \u202A+49 30\u202C", 0));
        assertEquals("  \u2502 \u2068a\u200Fb\u2069\n", Plain.message("a\u200Fb", 0));
    }

    @Test
    void durationsHaveTwoUnits() {
        assertEquals("0 s", Plain.duration(-5));
        assertEquals("59 s", Plain.duration(59_999));
        assertEquals("1 min 1 s", Plain.duration(61_000));
        assertEquals("3 h 12 min", Plain.duration((3 * 60 + 12) * 60_000L));
        assertEquals("2 d 1 h", Plain.duration(49 * 3_600_000L));
    }

    @Test
    void columnsAlignAlsoWithMarks() {
        assertEquals("  e\u0301   x\n  ab  y\n", Plain.table(List.of(List.of("e\u0301", "x"), List.of("ab", "y"))));
        assertEquals("  \u4E2D  x\n  ab  y\n", Plain.table(List.of(List.of("\u4E2D", "x"), List.of("ab", "y"))));
    }
}
