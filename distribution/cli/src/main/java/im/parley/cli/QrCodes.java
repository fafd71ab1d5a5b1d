package im.parley.cli;

import io.nayuki.qrcodegen.DataTooLongException;
import io.nayuki.qrcodegen.QrCode;

/**
 * A QR code as text, two rows of modules in one line of half blocks. Light is drawn and dark is left out, as it is right on
 * a dark terminal; most readers take it the other way round, too.
 */
final class QrCodes {
    /** Of light modules around the code, which readers need. */
    private static final int QUIET = 2;

    private QrCodes() {}

    /** Empty if the text is longer than any code holds. */
    static String drawn(String text) {
        QrCode code;
        try {
            code = QrCode.encodeText(text, QrCode.Ecc.LOW);
        } catch (DataTooLongException e) {
            return "";
        }
        StringBuilder drawn = new StringBuilder();
        for (int y = -QUIET; y < code.size + QUIET; y += 2) {
            for (int x = -QUIET; x < code.size + QUIET; x++) {
                boolean upper = !code.getModule(x, y);
                boolean lower = y + 1 < code.size + QUIET && !code.getModule(x, y + 1);
                drawn.append(upper ? lower ? '\u2588' : '\u2580' : lower ? '\u2584' : ' ');
            }
            drawn.append('\n');
        }
        return drawn.toString();
    }
}
