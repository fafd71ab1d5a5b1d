package im.parley.files.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.testkit.Seeds;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFileTest {
    private static final String CANARY = "canary 48.8583N 2.2945E";

    private final Path folder;

    ImageFileTest(@TempDir Path folder) {
        this.folder = folder;
    }

    private ImageFile read(byte[] bytes) throws IOException {
        Path path = Files.write(folder.resolve("image"), bytes);
        try (FileChannel file = FileChannel.open(path)) {
            return ImageFile.of(file, "");
        }
    }

    private byte[] cleaned(byte[] bytes) throws IOException {
        ImageFile image = read(bytes);
        Pieces clean = Objects.requireNonNull(image.clean());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (FileChannel file = FileChannel.open(folder.resolve("image"))) {
            clean.copy(file, new byte[77], (Pieces.To<RuntimeException>) (buffer, n) -> out.write(buffer, 0, n));
        }
        assertEquals(clean.sizeBytes(), out.size());
        return out.toByteArray();
    }

    private static BufferedImage picture() {
        BufferedImage image = new BufferedImage(120, 80, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 80; y++) {
            for (int x = 0; x < 120; x++) {
                image.setRGB(x, y, x * 2 << 16 | y * 3 << 8 | (x ^ y));
            }
        }
        return image;
    }

    private static byte[] encoded(String format) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        assertTrue(ImageIO.write(picture(), format, out));
        return out.toByteArray();
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] segment(int marker, String content) {
        byte[] body = ascii(content);
        return join(
                new byte[] {(byte) 0xff, (byte) marker, (byte) (body.length + 2 >> 8), (byte) (body.length + 2)}, body);
    }

    /** TIFF with an orientation, a place and a small picture of its own. */
    private static String exif(int orientation) {
        byte[] tiff = ByteBuffer.allocate(38)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(ascii("II*\0"))
                .putInt(8)
                .putShort((short) 2)
                .putShort((short) 0x8825)
                .putShort((short) 4)
                .putInt(1)
                .putInt(38)
                .putShort((short) 0x0112)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) orientation)
                .putShort((short) 0)
                .putInt(0)
                .array();
        return "Exif\0\0" + new String(tiff, StandardCharsets.ISO_8859_1) + CANARY + "\u00ff\u00d8\u00ff thumbnail";
    }

    private static byte[] withMetadata(byte[] jpeg) {
        return join(
                Arrays.copyOf(jpeg, 2),
                segment(0xe1, exif(6)),
                segment(0xe1, "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY),
                segment(0xed, "Photoshop 3.0\0008BIM" + CANARY),
                segment(0xe2, "MPF\0" + CANARY),
                segment(0xe2, "ICC_PROFILE\0 colours"),
                segment(0xfe, CANARY),
                Arrays.copyOfRange(jpeg, 2, jpeg.length),
                ascii("behind the end: " + CANARY));
    }

    private static void samePixels(byte[] expected, byte[] actual) throws IOException {
        BufferedImage a = ImageIO.read(new ByteArrayInputStream(expected));
        BufferedImage b = ImageIO.read(new ByteArrayInputStream(actual));
        assertNotNull(b);
        for (int y = 0; y < a.getHeight(); y++) {
            for (int x = 0; x < a.getWidth(); x++) {
                assertEquals(a.getRGB(x, y), b.getRGB(x, y));
            }
        }
    }

    private static void noCanary(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        for (String word : new String[] {"canary", "48.8583", "xmpmeta", "8BIM", "MPF", "thumbnail"}) {
            assertFalse(text.contains(word), word);
        }
    }

    @Test
    void BL_17_aJpegTellsNothingButThePicture() throws Exception {
        byte[] jpeg = encoded("jpg");
        byte[] dirty = withMetadata(jpeg);
        assertTrue(new String(dirty, StandardCharsets.ISO_8859_1).contains(CANARY));
        byte[] clean = cleaned(dirty);
        noCanary(clean);
        String text = new String(clean, StandardCharsets.ISO_8859_1);
        assertTrue(text.contains("ICC_PROFILE"), "its colours stay");
        assertTrue(
                text.contains("Exif\0\0MM\0*\0\0\0\b\0\u0001\u0001\u0012\0\u0003\0\0\0\u0001\0\u0006"), "its upside");
        assertEquals(1, text.split("Exif", -1).length - 1);
        ImageFile image = read(dirty);
        assertEquals("image/jpeg", image.type());
        assertEquals(80, image.width(), "as it is shown: turned");
        assertEquals(120, image.height());
        // The decoder of the JDK does not like a made-up colour profile.
        samePixels(
                jpeg,
                cleaned(join(
                        Arrays.copyOf(jpeg, 2), segment(0xe1, exif(1)), Arrays.copyOfRange(jpeg, 2, jpeg.length))));
        assertArrayEquals(clean, cleaned(clean), "there is nothing left to take out");
    }

    private static byte[] chunk(String name, byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(ascii(name));
        crc.update(body);
        return ByteBuffer.allocate(12 + body.length)
                .putInt(body.length)
                .put(ascii(name))
                .put(body)
                .putInt((int) crc.getValue())
                .array();
    }

    @Test
    void BL_17_aPngTellsNothingButThePicture() throws Exception {
        byte[] png = encoded("png");
        int afterHeader = 8 + 25;
        byte[] dirty = join(
                Arrays.copyOf(png, afterHeader),
                chunk("tEXt", ascii("Comment\0" + CANARY)),
                chunk("iTXt", ascii("XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>" + CANARY)),
                chunk("zTXt", ascii("Raw profile type exif\0\0" + CANARY)),
                chunk("eXIf", ascii(exif(3))),
                chunk("tIME", new byte[7]),
                chunk("caNv", ascii(CANARY)),
                chunk("gAMA", new byte[] {0, 0, (byte) 0xb1, (byte) 0x8f}),
                Arrays.copyOfRange(png, afterHeader, png.length),
                ascii("behind the end: " + CANARY));
        byte[] clean = cleaned(dirty);
        noCanary(clean);
        assertTrue(new String(clean, StandardCharsets.ISO_8859_1).contains("gAMA"));
        samePixels(png, clean);
        assertEquals(120, read(dirty).width());
        assertArrayEquals(clean, cleaned(clean));
    }

    private static byte[] riff(byte[]... chunks) {
        byte[] body = join(chunks);
        return join(
                ByteBuffer.allocate(12)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .put(ascii("RIFF"))
                        .putInt(4 + body.length)
                        .put(ascii("WEBP"))
                        .array(),
                body);
    }

    private static byte[] webpChunk(String name, byte[] body) {
        return join(
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .put(ascii(name))
                        .putInt(body.length)
                        .array(),
                body,
                new byte[body.length & 1]);
    }

    @Test
    void BL_17_aWebpTellsNothingButThePicture() throws Exception {
        byte[] canvas = {0x2c, 0, 0, 0, 119, 0, 0, 79, 0, 0};
        byte[] lossless = new byte[33];
        byte[] dirty = join(
                riff(
                        webpChunk("VP8X", canvas),
                        webpChunk("ICCP", ascii("colours")),
                        webpChunk("VP8L", lossless),
                        webpChunk("EXIF", ascii(exif(1))),
                        webpChunk("XMP ", ascii("<x:xmpmeta>" + CANARY))),
                ascii("behind the end: " + CANARY));
        byte[] clean = cleaned(dirty);
        noCanary(clean);
        byte[] plain = canvas.clone();
        plain[0] = 0x20;
        assertArrayEquals(
                riff(webpChunk("VP8X", plain), webpChunk("ICCP", ascii("colours")), webpChunk("VP8L", lossless)),
                clean);
        ImageFile image = read(dirty);
        assertEquals("120x80", image.width() + "x" + image.height());
    }

    @Test
    void BL_17_aGifTellsNothingButThePicture() throws Exception {
        byte[] gif = encoded("gif");
        int afterColours = 13 + ((gif[10] & 0x80) == 0 ? 0 : 3 << (gif[10] & 7) + 1);
        byte[] dirty = join(
                Arrays.copyOf(gif, afterColours),
                new byte[] {0x21, (byte) 0xfe, (byte) CANARY.length()},
                ascii(CANARY),
                new byte[] {0, 0x21, (byte) 0xff, 11},
                ascii("XMP DataXMP"),
                new byte[] {(byte) CANARY.length()},
                ascii(CANARY),
                new byte[] {0, 0x21, (byte) 0xff, 11},
                ascii("NETSCAPE2.0"),
                new byte[] {3, 1, 0, 0, 0},
                Arrays.copyOfRange(gif, afterColours, gif.length),
                ascii(CANARY));
        byte[] clean = cleaned(dirty);
        noCanary(clean);
        assertTrue(new String(clean, StandardCharsets.ISO_8859_1).contains("NETSCAPE2.0"), "it goes on moving");
        samePixels(gif, clean);
    }

    @Test
    void BL_17_whatCannotBeCleanedIsSaidNotToBe() throws Exception {
        byte[] heic = join(new byte[] {0, 0, 0, 24}, ascii("ftypheic"), new byte[4], ascii("mif1heic" + CANARY));
        assertEquals("image/heic", read(heic).type());
        assertTrue(read(heic).dirty());
        assertEquals(
                "image/avif",
                read(join(new byte[4], ascii("ftypavif"), new byte[8])).type());
        assertEquals(
                "video/mp4",
                read(join(new byte[4], ascii("ftypisom"), new byte[8])).type());
        assertEquals("image/tiff", read(join(ascii("II*\0"), new byte[20])).type());
        byte[] jpeg = encoded("jpg");
        for (byte[] broken : new byte[][] {
            {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe1, 0x7f, (byte) 0xff},
            join(ascii("\u0089PNG\r\n\u001a\n"), new byte[] {0x7f, 0, 0, 0}, ascii("IHDR")),
            join(ascii("RIFF\u00ff\u00ff\u00ff\u007fWEBPVP8 \u00ff\u00ff\u00ff\u007f"), new byte[9]),
            ascii("GIF89a\1\0\1\0\0\0\0!"),
            Arrays.copyOf(jpeg, 30)
        }) {
            assertTrue(read(broken).dirty(), read(broken).type());
            assertNull(read(broken).clean());
        }
        assertFalse(read(ascii("MVG push graphic-context")).dirty());
        assertEquals("", read(new byte[0]).type());
    }

    @Test
    void anythingIsReadToAnEnd() throws Exception {
        RandomGenerator random = Seeds.generator("images");
        byte[][] whole = {withMetadata(encoded("jpg")), encoded("png"), encoded("gif")};
        for (int round = 0; round < 600; round++) {
            byte[] bytes = whole[round % 3].clone();
            for (int i = 0; i < 1 + random.nextInt(8); i++) {
                bytes[random.nextInt(round % 2 == 0 ? bytes.length : 200)] = (byte) random.nextInt(256);
            }
            bytes = Arrays.copyOf(bytes, random.nextInt(4) == 0 ? random.nextInt(bytes.length) : bytes.length);
            ImageFile image = read(bytes);
            if (image.clean() != null) {
                assertTrue(image.clean().sizeBytes() <= bytes.length + 40L);
                cleaned(bytes);
            }
        }
    }

    @Test
    void BL_16_aPictureOfAHugeSizeIsNotDecoded() throws Exception {
        byte[] header = ByteBuffer.allocate(13)
                .putInt(50_000)
                .putInt(50_000)
                .put(new byte[] {8, 6, 0, 0, 0})
                .array();
        byte[] bomb = join(
                ascii("\u0089PNG\r\n\u001a\n"),
                chunk("IHDR", header),
                chunk("IDAT", new byte[900]),
                chunk("IEND", new byte[0]));
        ImageFile image = read(bomb);
        assertEquals(50_000, image.width());
        ProviderException refused =
                assertThrows(ProviderException.class, () -> Previews.blurhash(folder.resolve("image"), image));
        assertEquals("media.too-large", refused.code());
        assertEquals("", Previews.blurhash(folder.resolve("image"), read(ascii("MVG push graphic-context"))));
    }

    @Test
    void BL_16_aGifOfManyFramesIsPassedThroughUnseen() throws Exception {
        byte[] gif = encoded("gif");
        int afterColours = 13 + ((gif[10] & 0x80) == 0 ? 0 : 3 << (gif[10] & 7) + 1);
        byte[] frame = {0x21, (byte) 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0};
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(gif, 0, afterColours);
        for (int i = 0; i < 100_000; i++) {
            out.writeBytes(frame);
        }
        out.write(0x3b);
        ImageFile image = read(out.toByteArray());
        assertEquals(out.size(), Objects.requireNonNull(image.clean()).sizeBytes());
        assertEquals("", Previews.blurhash(folder.resolve("image"), image));
    }

    @Test
    void aPreviewHasTheColoursOfThePicture() throws Exception {
        ImageFile image = read(encoded("png"));
        String hash = Previews.blurhash(folder.resolve("image"), image);
        assertEquals(28, hash.length(), hash);
        BufferedImage white = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 64; i++) {
            white.setRGB(i % 8, i / 8, 0xffffff);
        }
        // 4 by 3 parts, then the average colour: ffffff in base 83.
        assertEquals("TSUA", Previews.encode(white).substring(2, 6));
    }
}
