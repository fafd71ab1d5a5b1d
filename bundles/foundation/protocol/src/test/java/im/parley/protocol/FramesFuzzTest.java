package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import im.parley.api.event.Event;
import im.parley.testkit.Seeds;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class FramesFuzzTest {
    private static final int FRAMES = 100_000;
    private static final long SLOWEST_NANOS = 2_000_000_000L;

    private static final String[] PIECES = {
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\u0000",
        "\\ud800",
        "\\udfff",
        "\ud83d",
        "null",
        "true",
        "-0",
        "1e400",
        "01",
        "9007199254740992",
        "\"id\":",
        "\"ID\":1,",
        "\"sig\":\"\",",
        "[[[[[[[[[[[[[[[[[[[[",
        "{\"a\":",
        "\"#p\":",
        "\"kinds\":[1.5],",
        "\u0000",
        "\ufeff",
        "//",
        "/**/",
        "NaN",
        "'",
        "\"EVENT\"",
        "\"REQ\"",
        ",,",
        "\"x\":{\"x\":1,\"x\":2},",
        "\u2028",
        " ",
        "\n"
    };

    private int accepted;
    private int refused;

    /** A reader under test. */
    private interface Reading {
        Object read(String text) throws ProtocolException;
    }

    @Test
    void mutatedFramesAreReadOrRefusedAndNothingElse() throws Exception {
        RandomGenerator random = Seeds.generator("FramesFuzzTest");
        List<Reading> readers = List.of(
                Frames::readClient, Frames::readRelay, EventReader::read, EventReader::readRumor, Frames::readFilter);
        long slowest = 0;
        for (int i = 0; i < FRAMES; i++) {
            String frame = mutated(random, grammatical(random));
            for (Reading reading : readers) {
                long start = System.nanoTime();
                attempt(reading, frame);
                slowest = Math.max(slowest, System.nanoTime() - start);
            }
        }
        System.out.println("mutated frames: " + FRAMES + " by " + readers.size() + " readers, accepted " + accepted
                + ", refused " + refused + ", slowest " + slowest / 1000 + " us");
        assertTrue(slowest < SLOWEST_NANOS, "one read took " + slowest + " ns");
        assertTrue(accepted > FRAMES / 50, "mutations so wild that nothing is accepted test little");
        assertTrue(refused > FRAMES);
    }

    private void attempt(Reading reading, String frame) throws ProtocolException {
        Object read;
        try {
            read = reading.read(frame);
            accepted++;
        } catch (MalformedFrameException e) {
            refused++;
            Frames.readRelay(e.answer());
            return;
        } catch (ProtocolException e) {
            refused++;
            return;
        } catch (RuntimeException | Error e) {
            fail("threw " + e + " for " + frame, e);
            return;
        }
        // Whatever was accepted has a canonical form, and that form means the same.
        if (read instanceof ClientFrame.Publish publish) {
            assertEquals(publish, Frames.readClient(Frames.publish(publish.event())));
        } else if (read instanceof ClientFrame.Req req) {
            assertEquals(req, Frames.readClient(Frames.req(req.subscription(), req.filters())));
        } else if (read instanceof RelayFrame.Deliver deliver) {
            assertEquals(deliver, Frames.readRelay(Frames.deliver(deliver.subscription(), deliver.event())));
        } else if (read instanceof Event event) {
            assertEquals(event, EventReader.read(EventWriter.write(event)));
        }
    }

    private static String grammatical(RandomGenerator random) throws ProtocolException {
        return switch (random.nextInt(10)) {
            case 0, 1 -> Frames.publish(Samples.unsigned(random));
            case 2, 3 ->
                Frames.req(Samples.text(random, 2) + "s", List.of(Samples.filter(random), Samples.filter(random)));
            case 4 -> Frames.deliver("s", Samples.unsigned(random));
            case 5 -> EventWriter.write(Samples.unsigned(random));
            case 6 ->
                EventWriter.write(EventHash.rumor(
                        Samples.key(1), 1_700_000_000, 14, Samples.tags(random), Samples.text(random, 5)));
            case 7 -> Frames.writeFilter(Samples.filter(random));
            case 8 -> Frames.auth(Samples.unsigned(random));
            default ->
                List.of(
                                Frames.ok(Samples.id(1), random.nextBoolean(), Samples.text(random, 3)),
                                Frames.closed("s", Samples.text(random, 3)),
                                Frames.eose("s"),
                                Frames.notice(Samples.text(random, 3)),
                                "[\"COUNT\",\"q\",{\"count\":5}]",
                                "[\"NEG-OPEN\",\"n\",{},\"61\"]")
                        .get(random.nextInt(6));
        };
    }

    private static String mutated(RandomGenerator random, String frame) {
        String result = frame;
        int changes = random.nextInt(4);
        for (int i = 0; i < changes && !result.isEmpty(); i++) {
            int at = random.nextInt(result.length());
            int to = Math.min(result.length(), at + 1 + random.nextInt(12));
            String piece = PIECES[random.nextInt(PIECES.length)];
            result = switch (random.nextInt(8)) {
                case 0 -> result.substring(0, at) + piece + result.substring(at);
                case 1 -> result.substring(0, at) + piece + result.substring(to);
                case 2 -> result.substring(0, at) + result.substring(to);
                case 3 -> result.substring(0, to) + result.substring(at);
                case 4 -> result.substring(0, at);
                case 5 ->
                    result.substring(0, at)
                            + (char) (result.charAt(at) ^ 1 << random.nextInt(16))
                            + result.substring(at + 1);
                case 6 -> result.substring(0, at) + piece.repeat(1 + random.nextInt(300)) + result.substring(at);
                default -> bitFlip(random, result);
            };
        }
        return result;
    }

    private static String bitFlip(RandomGenerator random, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int at = random.nextInt(bytes.length);
        bytes[at] ^= (byte) (1 << random.nextInt(8));
        try {
            return Texts.utf8(ByteBuffer.wrap(bytes));
        } catch (ProtocolException notUtf8) {
            return text.substring(0, at / 4);
        }
    }
}
