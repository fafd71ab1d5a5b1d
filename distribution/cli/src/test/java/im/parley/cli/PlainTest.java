package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
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
            if (Character.isISOControl(c) && c != '\n') {
                assertEquals(-1, Plain.block("a" + (char) c + "b", "").indexOf(c), Integer.toHexString(c));
            }
        }
    }

    @Test
    void everyLineOfABlockIsIndented() {
        assertEquals("  a\n  b\n  c\n  d", Plain.block("a\nb\r\nc\u2028d", "  "));
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
    }
}
