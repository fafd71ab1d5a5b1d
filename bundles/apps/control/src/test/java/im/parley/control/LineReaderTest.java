package im.parley.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.control.LineReader.Found;
import java.io.ByteArrayInputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class LineReaderTest {
    private static LineReader over(String text, int max) {
        return new LineReader(
                Channels.newChannel(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8))), max);
    }

    private static String line(LineReader reader) {
        return new String(reader.bytes(), 0, reader.length(), StandardCharsets.UTF_8);
    }

    private static boolean allZero(byte[] bytes) {
        for (byte b : bytes) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    @Test
    void linesComeWholeAndTheLastOneIsWiped() throws Exception {
        String longLine = "4711".repeat(5_000);
        try (LineReader reader = over("a\n\n" + longLine + "\nrest", 100_000)) {
            assertEquals(Found.LINE, reader.next());
            assertEquals("a", line(reader));
            byte[] small = reader.bytes();
            assertEquals(Found.LINE, reader.next());
            assertEquals("", line(reader));
            assertEquals(Found.LINE, reader.next());
            assertEquals(longLine, line(reader));
            assertTrue(allZero(small), "the buffer it outgrew is wiped");
            byte[] large = reader.bytes();
            assertEquals(Found.END, reader.next());
            reader.close();
            assertTrue(allZero(large), "nothing of the line is left");
        }
    }

    @Test
    void exactlyTheLimitIsFine() throws Exception {
        try (LineReader reader = over("x".repeat(2000) + "\n" + "x".repeat(2001) + "\n", 2000)) {
            assertEquals(Found.LINE, reader.next());
            assertEquals(2000, reader.length());
            assertEquals(Found.TOO_LONG, reader.next());
        }
    }
}
