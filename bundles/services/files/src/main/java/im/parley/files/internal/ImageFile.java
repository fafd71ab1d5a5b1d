package im.parley.files.internal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What kind of file this is, by its first bytes, and what of an image is sent: everything that makes the picture and nothing
 * that tells where, when, by whom and with what it was taken. Reads headers only, decodes nothing, and believes no length.
 *
 * @param type media type; empty if it is not known
 * @param clean what is sent; null for an image that may hold what cannot be taken out, and for all that is none
 * @param width in pixels, as shown; 0 if it is not known
 * @param progressive whether a decoder would have to hold it whole
 */
record ImageFile(String type, @Nullable Pieces clean, int width, int height, boolean progressive) {
    private static final Set<String> PNG_KEPT = Set.of(
            "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "bKGD", "hIST", "pHYs",
            "sPLT", "acTL", "fcTL", "fdAT", "cICP", "mDCV", "cLLI");
    private static final Set<String> WEBP_KEPT = Set.of("VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP");
    private static final Set<String> HEIF =
            Set.of("heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "avif", "avis");
    private static final int WEBP_METADATA = 0x04 | 0x08;
    private static final int ORIENTATION = 0x0112;
    private static final int MAX_EXIF = 65_536;

    /** Whether it is a picture that must not be sent as it is. */
    boolean dirty() {
        return type.startsWith("image/") && clean == null;
    }

    static ImageFile of(FileChannel file, String saidType) throws IOException {
        Reader in = new Reader(file);
        byte[] head = in.upTo(0, 16);
        String ascii = new String(head, StandardCharsets.ISO_8859_1);
        try {
            if (ascii.startsWith("\u00ff\u00d8\u00ff")) {
                return new Jpeg(in).read();
            }
            if (ascii.startsWith("\u0089PNG\r\n\u001a\n")) {
                return png(in);
            }
            if (ascii.startsWith("RIFF") && ascii.startsWith("WEBP", 8)) {
                return webp(in);
            }
            if (ascii.startsWith("GIF87a") || ascii.startsWith("GIF89a")) {
                return gif(in);
            }
        } catch (IOException e) {
            String type = ascii.startsWith("GIF")
                    ? "image/gif"
                    : ascii.startsWith("RIFF") ? "image/webp" : ascii.contains("PNG") ? "image/png" : "image/jpeg";
            return new ImageFile(type, null, 0, 0, false);
        }
        return new ImageFile(other(ascii, saidType), null, 0, 0, false);
    }

    private static String other(String ascii, String saidType) {
        if (ascii.startsWith("ftyp", 4) && ascii.length() >= 12) {
            String brand = ascii.substring(8, 12);
            if (HEIF.contains(brand)) {
                return brand.startsWith("avi") ? "image/avif" : "image/heic";
            }
            return brand.equals("qt  ") ? "video/quicktime" : brand.startsWith("M4A") ? "audio/mp4" : "video/mp4";
        }
        if (ascii.startsWith("II*\0") || ascii.startsWith("MM\0*")) {
            return "image/tiff";
        }
        if (ascii.startsWith("%PDF-")) {
            return "application/pdf";
        }
        return saidType.toLowerCase(Locale.ROOT);
    }

    /** Reads a file at any place; ends with an IOException where the file does. */
    private static final class Reader {
        private final FileChannel file;
        private final byte[] window = new byte[8_192];
        private long start;
        private int filled;

        Reader(FileChannel file) {
            this.file = file;
        }

        long size() throws IOException {
            return file.size();
        }

        int u8(long at) throws IOException {
            if (at < start || at >= start + filled) {
                start = at;
                filled = Math.max(0, file.read(ByteBuffer.wrap(window), at));
                if (filled == 0) {
                    throw new IOException("the image ends early");
                }
            }
            return window[(int) (at - start)] & 0xff;
        }

        int u16(long at) throws IOException {
            return u8(at) << 8 | u8(at + 1);
        }

        long u32(long at) throws IOException {
            return (long) u16(at) << 16 | u16(at + 2);
        }

        long u32le(long at) throws IOException {
            return Integer.toUnsignedLong(Integer.reverseBytes((int) u32(at)));
        }

        int u24le(long at) throws IOException {
            return u8(at) | u8(at + 1) << 8 | u8(at + 2) << 16;
        }

        byte[] upTo(long at, int most) throws IOException {
            int n = (int) Math.max(0, Math.min(most, size() - at));
            byte[] bytes = new byte[n];
            Pieces.fill(file, at, bytes, n);
            return bytes;
        }

        boolean is(long at, String ascii) throws IOException {
            for (int i = 0; i < ascii.length(); i++) {
                if (u8(at + i) != ascii.charAt(i)) {
                    return false;
                }
            }
            return true;
        }

        String name(long at) throws IOException {
            return new String(upTo(at, 4), StandardCharsets.ISO_8859_1);
        }
    }

    private static ImageFile png(Reader in) throws IOException {
        Pieces kept = new Pieces();
        kept.keep(0, 8);
        long at = 8;
        int width = 0;
        int height = 0;
        while (true) {
            long length = in.u32(at);
            String name = in.name(at + 4);
            if (length > Integer.MAX_VALUE || at + 12 + length > in.size()) {
                throw new IOException("a chunk ends outside the file");
            }
            if (name.equals("IHDR")) {
                width = (int) Math.min(Integer.MAX_VALUE, in.u32(at + 8));
                height = (int) Math.min(Integer.MAX_VALUE, in.u32(at + 12));
            }
            boolean critical = Character.isUpperCase(name.charAt(0));
            if (critical || PNG_KEPT.contains(name)) {
                kept.keep(at, 12 + length);
            }
            at += 12 + length;
            if (name.equals("IEND")) {
                // What stands behind the end is no picture.
                return new ImageFile("image/png", kept, width, height, false);
            }
        }
    }

    private static ImageFile webp(Reader in) throws IOException {
        long end = Math.min(in.size(), 8 + in.u32le(4));
        Pieces body = new Pieces();
        int width = 0;
        int height = 0;
        for (long at = 12; at + 8 <= end; ) {
            String name = in.name(at);
            long length = in.u32le(at + 4);
            long padded = 8 + length + (length & 1);
            if (at + 8 + length > end) {
                throw new IOException("a chunk ends outside the file");
            }
            if (name.equals("VP8X") && length >= 10) {
                byte[] chunk = in.upTo(at, (int) Math.min(padded, 64));
                chunk[8] &= (byte) ~WEBP_METADATA;
                body.insert(chunk);
                width = 1 + in.u24le(at + 12);
                height = 1 + in.u24le(at + 15);
            } else if (WEBP_KEPT.contains(name)) {
                body.keep(at, Math.min(padded, in.size() - at));
                if (width == 0 && name.equals("VP8 ")) {
                    width = (in.u8(at + 14) | in.u8(at + 15) << 8) & 0x3fff;
                    height = (in.u8(at + 16) | in.u8(at + 17) << 8) & 0x3fff;
                } else if (width == 0 && name.equals("VP8L")) {
                    long bits = in.u32le(at + 9);
                    width = 1 + (int) (bits & 0x3fff);
                    height = 1 + (int) (bits >>> 14 & 0x3fff);
                }
            }
            at += padded;
        }
        Pieces kept = new Pieces();
        kept.insert(ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("RIFF".getBytes(StandardCharsets.US_ASCII))
                .putInt((int) (4 + body.sizeBytes()))
                .put("WEBP".getBytes(StandardCharsets.US_ASCII))
                .array());
        kept.append(body);
        return new ImageFile("image/webp", kept, width, height, false);
    }

    private static ImageFile gif(Reader in) throws IOException {
        Pieces kept = new Pieces();
        int width = in.u8(6) | in.u8(7) << 8;
        int height = in.u8(8) | in.u8(9) << 8;
        long at = 13 + colours(in.u8(10));
        kept.keep(0, at);
        while (true) {
            int kind = in.u8(at);
            if (kind == 0x3b) {
                kept.keep(at, 1);
                return new ImageFile("image/gif", kept, width, height, false);
            }
            long begin = at;
            boolean wanted = true;
            if (kind == 0x2c) {
                at += 10 + colours(in.u8(at + 9)) + 1;
            } else if (kind == 0x21) {
                int label = in.u8(at + 1);
                wanted = label == 0xf9
                        || label == 0xff && (in.is(at + 3, "NETSCAPE2.0") || in.is(at + 3, "ANIMEXTS1.0"));
                at += 2;
            } else {
                throw new IOException("a block is of no known kind");
            }
            for (int n = in.u8(at); n > 0; n = in.u8(at)) {
                at += 1 + n;
            }
            at++;
            if (wanted) {
                kept.keep(begin, at - begin);
            }
        }
    }

    private static long colours(int flags) {
        return (flags & 0x80) == 0 ? 0 : 3L << (flags & 7) + 1;
    }

    /** Segments of a JPEG, in one pass. */
    private static final class Jpeg {
        private final Reader in;
        private final Pieces kept = new Pieces();
        private int width;
        private int height;
        private boolean progressive;
        private int orientation = 1;

        Jpeg(Reader in) {
            this.in = in;
        }

        ImageFile read() throws IOException {
            kept.keep(0, 2);
            long at = 2;
            while (true) {
                while (in.u8(at + 1) == 0xff) {
                    at++;
                }
                if (in.u8(at) != 0xff) {
                    throw new IOException("no marker where one should be");
                }
                int marker = in.u8(at + 1);
                if (marker == 0xd9) {
                    // Some cameras and telephones put more behind the end.
                    kept.keep(at, 2);
                    break;
                }
                if (marker == 0x01 || marker >= 0xd0 && marker <= 0xd7) {
                    kept.keep(at, 2);
                    at += 2;
                    continue;
                }
                long length = 2L + in.u16(at + 2);
                if (length < 4 || at + length > in.size()) {
                    throw new IOException("a segment ends outside the file");
                }
                segment(marker, at, length);
                at += length;
                if (marker == 0xda) {
                    long end = scan(at);
                    kept.keep(at, end - at);
                    at = end;
                    if (at >= in.size()) {
                        // Cut short, as many are; the rest of it is a picture.
                        break;
                    }
                }
            }
            boolean turned = orientation >= 5;
            return new ImageFile("image/jpeg", kept, turned ? height : width, turned ? width : height, progressive);
        }

        private void segment(int marker, long at, long length) throws IOException {
            boolean frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
            if (frame && length >= 10) {
                height = in.u16(at + 5);
                width = in.u16(at + 7);
                progressive |= marker != 0xc0 && marker != 0xc1;
            }
            if (marker == 0xe1 && length > 10 && in.is(at + 4, "Exif\0\0")) {
                int found = orientation(in.upTo(at + 10, (int) Math.min(MAX_EXIF, length - 10)));
                if (found > 1 && orientation == 1) {
                    orientation = found;
                    kept.insert(minimal(found));
                }
                return;
            }
            boolean application = marker >= 0xe0 && marker <= 0xef;
            boolean wanted = !application && marker != 0xfe
                    || marker == 0xe0 && length >= 9 && in.is(at + 4, "JFIF\0")
                    || marker == 0xe2 && length >= 16 && in.is(at + 4, "ICC_PROFILE\0")
                    || marker == 0xee && length >= 9 && in.is(at + 4, "Adobe");
            if (wanted) {
                kept.keep(at, length);
            }
        }

        /** Where the bits of a scan end. */
        private long scan(long from) throws IOException {
            long at = from;
            long size = in.size();
            while (at + 1 < size) {
                if (in.u8(at) == 0xff) {
                    int next = in.u8(at + 1);
                    if (next != 0 && next != 0xff && !(next >= 0xd0 && next <= 0xd7)) {
                        return at;
                    }
                    at += next == 0xff ? 1 : 2;
                } else {
                    at++;
                }
            }
            return size;
        }

        private static int orientation(byte[] tiff) {
            if (tiff.length < 14) {
                return 1;
            }
            ByteBuffer buffer =
                    ByteBuffer.wrap(tiff).order(tiff[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
            long at = Integer.toUnsignedLong(buffer.getInt(4));
            if (at + 2 > tiff.length) {
                return 1;
            }
            int entries = buffer.getShort((int) at) & 0xffff;
            for (int i = 0; i < entries && at + 2 + 12L * (i + 1) <= tiff.length; i++) {
                int entry = (int) at + 2 + 12 * i;
                if ((buffer.getShort(entry) & 0xffff) == ORIENTATION) {
                    int value = buffer.getShort(entry + 8) & 0xffff;
                    return value >= 1 && value <= 8 ? value : 1;
                }
            }
            return 1;
        }

        /** Exif that says which side is up, and nothing else. */
        private static byte[] minimal(int orientation) {
            return ByteBuffer.allocate(36)
                    .putShort((short) 0xffe1)
                    .putShort((short) 34)
                    .put("Exif\0\0MM\0*".getBytes(StandardCharsets.ISO_8859_1))
                    .putInt(8)
                    .putShort((short) 1)
                    .putShort((short) ORIENTATION)
                    .putShort((short) 3)
                    .putInt(1)
                    .putShort((short) orientation)
                    .putShort((short) 0)
                    .putInt(0)
                    .array();
        }
    }
}
