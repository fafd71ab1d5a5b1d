package im.parley.api.lifecycle;

import java.util.Objects;

/**
 * The one checked exception of the SPI border: a kind to act on, a stable code for machines, a sentence for people.
 *
 * <p>The text never holds a secret, a key or message text. Expected outcomes are values, not exceptions; bugs stay
 * unchecked.
 */
public final class ProviderException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Kind kind;
    private final String code;

    /**
     * @param code stable, lower case, dotted, for example {@code crypto.bad-pubkey}; asserted by tests, shown to users
     * @param text what happened, why, and what next, in one or two sentences
     */
    public ProviderException(Kind kind, String code, String text) {
        super(text);
        this.kind = Objects.requireNonNull(kind);
        this.code = Objects.requireNonNull(code);
    }

    /** With a cause, which the host logs as text and never hands on as an object of the plugin's class. */
    public ProviderException(Kind kind, String code, String text, Throwable cause) {
        super(text, cause);
        this.kind = Objects.requireNonNull(kind);
        this.code = Objects.requireNonNull(code);
    }

    public Kind kind() {
        return kind;
    }

    public String code() {
        return code;
    }

    /** The sentence; never null. */
    @Override
    public String getMessage() {
        return Objects.requireNonNullElse(super.getMessage(), code);
    }

    @Override
    public String toString() {
        return kind + " " + code + ": " + getMessage();
    }
}
