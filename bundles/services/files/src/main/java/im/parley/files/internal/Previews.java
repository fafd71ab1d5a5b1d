package im.parley.files.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.stream.FileImageInputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The colours of a picture in a few letters (blurhash). Only the decoders of the JDK for JPEG and PNG are used, in this
 * process, and they never hold more than a small version of the picture.
 */
final class Previews {
    private static final Logger LOG = LoggerFactory.getLogger(Previews.class);
    private static final long MAX_PIXELS = 200_000_000;
    /** A progressive JPEG is held whole while it is decoded, at 6 bytes a pixel. */
    private static final long MAX_PROGRESSIVE = 16_000_000;

    private static final int MAX_SIDE = 40_000;
    private static final int SIDE = 48;
    private static final int ACROSS = 4;
    private static final int DOWN = 3;
    private static final String DIGITS =
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

    private Previews() {}

    /**
     * @return empty if this Java, or this file, gives none
     * @throws ProviderException {@code REJECTED media.too-large} before anything of it is decoded
     */
    static String blurhash(Path path, ImageFile image) throws ProviderException {
        long pixels = (long) image.width() * image.height();
        if (image.width() > MAX_SIDE
                || image.height() > MAX_SIDE
                || pixels > (image.progressive() ? MAX_PROGRESSIVE : MAX_PIXELS)) {
            throw new ProviderException(
                    Kind.REJECTED, "media.too-large", "The picture has too many pixels to be looked at; it was not.");
        }
        boolean decodable = image.type().equals("image/jpeg") || image.type().equals("image/png");
        if (!decodable || pixels == 0) {
            return "";
        }
        try {
            BufferedImage small = small(path, image);
            return small == null ? "" : encode(small);
        } catch (IOException | RuntimeException | LinkageError e) {
            // Of a Java without java.desktop, or of a broken picture, which is sent all the same.
            LOG.debug("no preview: {}", e.toString());
            return "";
        }
    }

    private static @org.jspecify.annotations.Nullable BufferedImage small(Path path, ImageFile image)
            throws IOException {
        String format = image.type().substring("image/".length());
        Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format);
        if (!readers.hasNext()) {
            return null;
        }
        ImageReader reader = readers.next();
        try (FileImageInputStream in = new FileImageInputStream(path.toFile())) {
            reader.setInput(in, true, true);
            int step = Math.max(1, Math.max(reader.getWidth(0), reader.getHeight(0)) / SIDE);
            ImageReadParam param = reader.getDefaultReadParam();
            param.setSourceSubsampling(step, step, step / 2, step / 2);
            return reader.read(0, param);
        } finally {
            reader.dispose();
        }
    }

    /** Source: github.com/woltapp/blurhash, Algorithm.md. */
    static String encode(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        double[][] factors = new double[ACROSS * DOWN][3];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int rgb = image.getRGB(x, y);
                for (int j = 0; j < DOWN; j++) {
                    for (int i = 0; i < ACROSS; i++) {
                        double basis = Math.cos(Math.PI * i * x / width) * Math.cos(Math.PI * j * y / height);
                        double[] factor = factors[j * ACROSS + i];
                        for (int c = 0; c < 3; c++) {
                            factor[c] += basis * linear(rgb >> 16 - 8 * c & 0xff);
                        }
                    }
                }
            }
        }
        double most = 0;
        for (int k = 0; k < factors.length; k++) {
            for (int c = 0; c < 3; c++) {
                factors[k][c] *= (k == 0 ? 1.0 : 2.0) / (width * height);
                most = k == 0 ? 0 : Math.max(most, Math.abs(factors[k][c]));
            }
        }
        int level = Math.max(0, Math.min(82, (int) Math.floor(most * 166 - 0.5)));
        double scale = (level + 1) / 166.0;
        StringBuilder hash = new StringBuilder();
        put(hash, ACROSS - 1 + (DOWN - 1) * 9, 1);
        put(hash, level, 1);
        put(hash, srgb(factors[0][0]) << 16 | srgb(factors[0][1]) << 8 | srgb(factors[0][2]), 4);
        for (int k = 1; k < factors.length; k++) {
            int value = 0;
            for (int c = 0; c < 3; c++) {
                double part = factors[k][c] / scale;
                double root = Math.signum(part) * Math.sqrt(Math.abs(part));
                value = value * 19 + (int) Math.max(0, Math.min(18, Math.floor(root * 9 + 9.5)));
            }
            put(hash, value, 2);
        }
        return hash.toString();
    }

    private static void put(StringBuilder hash, int value, int digits) {
        int divisor = 1;
        for (int i = 1; i < digits; i++) {
            divisor *= 83;
        }
        for (int left = divisor; left > 0; left /= 83) {
            hash.append(DIGITS.charAt(value / left % 83));
        }
    }

    private static double linear(int value) {
        double v = value / 255.0;
        return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    }

    private static int srgb(double value) {
        double v = Math.max(0, Math.min(1, value));
        double s = v <= 0.0031308 ? v * 12.92 : 1.055 * Math.pow(v, 1 / 2.4) - 0.055;
        return (int) (s * 255 + 0.5);
    }
}
