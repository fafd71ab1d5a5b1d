package im.parley.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * PINs and passphrases: by prompt without echo, or line by line from standard input; never from arguments or the
 * environment. What is handed out is the caller's to wipe.
 */
final class Pins {
    private static final int MAX_BYTES = 1024;

    private Pins() {}

    /**
     * One secret.
     *
     * @param prompt what is asked for
     * @param fromInput read one line of standard input instead of asking
     */
    static char[] read(Invocation invocation, String prompt, boolean fromInput) throws Failure {
        if (!fromInput && !invocation.interactive()) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.no-terminal",
                    "Nothing was done.",
                    "There is no terminal to ask for the " + prompt + ".",
                    "Run it in a terminal, or give the " + prompt + " on standard input with --stdin.");
        }
        char[] secret = fromInput ? line(invocation.in()) : invocation.ask(prompt);
        if (secret == null) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.input-ended",
                    "Nothing was done.",
                    "The input ended where the " + prompt + " was asked for.",
                    fromInput ? "Give it as a line of its own." : "Run the command again and type it.");
        }
        return secret;
    }

    /**
     * Asks for what was just chosen once more; at a prompt a slip of the finger would lock its owner out.
     *
     * @throws Failure {@code pin.repeat-differs}, {@code passphrase.repeat-differs}
     */
    static void repeat(Invocation invocation, String name, char[] chosen) throws Failure {
        char[] again = read(invocation, "new " + name + " again", false);
        try {
            if (!Arrays.equals(again, chosen)) {
                throw new Failure(
                        Exit.REFUSED,
                        name.toLowerCase(Locale.ROOT) + ".repeat-differs",
                        "Nothing was done.",
                        "The two differ.",
                        "Run the command again.");
            }
        } finally {
            Arrays.fill(again, '\0');
        }
    }

    /** A line without its end, as UTF-8; null at the end of the input. Reads no byte beyond the line. */
    private static char @Nullable [] line(InputStream in) throws Failure {
        byte[] bytes = new byte[MAX_BYTES];
        int length = 0;
        try {
            int b = in.read();
            if (b < 0) {
                return null;
            }
            for (; b >= 0 && b != '\n'; b = in.read()) {
                if (length == MAX_BYTES) {
                    throw new Failure(
                            Exit.USAGE,
                            "cli.input-too-long",
                            "Nothing was done.",
                            "A line of standard input is longer than " + MAX_BYTES + " bytes.",
                            "Give one secret per line.");
                }
                bytes[length++] = (byte) b;
            }
            if (length > 0 && bytes[length - 1] == '\r') {
                length--;
            }
            return decode(bytes, length);
        } catch (IOException e) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.no-input",
                    "Nothing was done.",
                    "Standard input cannot be read, or is no UTF-8: " + e.getMessage() + ".",
                    "Check what is piped in.");
        } finally {
            Arrays.fill(bytes, (byte) 0);
        }
    }

    private static char[] decode(byte[] bytes, int length) throws IOException {
        java.nio.CharBuffer chars =
                java.nio.charset.StandardCharsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes, 0, length));
        char[] secret = new char[chars.remaining()];
        chars.get(secret);
        Arrays.fill(chars.array(), '\0');
        return secret;
    }
}
