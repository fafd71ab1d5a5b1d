package im.parley.control;

import java.util.Arrays;

/** A PIN or passphrase on its way through: never a String, wiped when the call is over. Used by one thread. */
public final class Secret implements AutoCloseable {
    private final char[] value;

    /** Takes over the array. */
    Secret(char[] value) {
        this.value = value;
    }

    /** The characters themselves, not a copy; zeros after {@link #close}. */
    public char[] value() {
        return value;
    }

    @Override
    public void close() {
        Arrays.fill(value, '\0');
    }

    @Override
    public String toString() {
        return "[REDACTED]";
    }
}
