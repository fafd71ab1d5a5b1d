package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import im.parley.api.event.PublicKey;
import im.parley.outbox.RecordOutput;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class LineTest {
    private static final PublicKey KEY = PublicKey.of(new byte[32]);

    @Test
    void whatTheVersionBeforeWroteStandsWhereItBecameVisible() throws Exception {
        byte[] before = new RecordOutput(1)
                .text("id")
                .text("conversation")
                .bytes(KEY.bytes())
                .bytes(KEY.bytes())
                .flag(false)
                .flag(true)
                .number(14)
                .number(5_000)
                .text("text")
                .text("nip17")
                .text("d1")
                .number(3)
                .number(4)
                .done();
        Line line = Line.read(7, before);
        assertEquals(line(7, 7, 3), line);
        assertEquals(line(9, 7, 3), Line.read(9, line(9, 7, 3).write()));
        Line room = line(9, 9, 3, List.of(KEY, KEY)).erased();
        assertEquals(room, Line.read(9, room.write()));
        assertEquals("", room.text());
    }

    @Test
    void lateOnesStandBeforeTheirSuccessorByTheirNumbers() {
        Line first = line(1, 1, 1);
        Line successor = line(2, 2, 6);
        Line other = line(3, 3, 1);
        Line five = line(4, 2, 5);
        Line three = line(5, 2, 3);
        assertEquals(
                List.of(first, three, five, successor, other),
                Stream.of(three, successor, first, other, five)
                        .sorted(Line.READING_ORDER)
                        .toList());
    }

    private static Line line(long position, long place, long seq) {
        return line(position, place, seq, List.of());
    }

    private static Line line(long position, long place, long seq, List<PublicKey> others) {
        return new Line(
                position,
                place,
                "id",
                "conversation",
                KEY,
                KEY,
                false,
                true,
                14,
                5_000,
                "text",
                "nip17",
                "",
                others,
                false,
                0,
                0,
                0,
                "d1",
                seq,
                4);
    }
}
