package im.parley.protocol;

/**
 * Input that is not what the grammar asks for. The token is stable and goes on the wire behind {@code invalid: }.
 *
 * <p>Tokens: {@code json} (no JSON, or something behind it), {@code nesting}, {@code duplicate-key}, {@code bad-unicode}
 * (not UTF-8, or a lone surrogate), {@code control-char} (U+0000), {@code too-large}, {@code missing-field}, {@code event}
 * (no object), {@code hex}, {@code created-at}, {@code kind}, {@code tags}, {@code content}, {@code id}, {@code sig},
 * {@code signed-rumor}, {@code filter}, {@code frame}, {@code subscription}, {@code nip19}, {@code relay-url}, {@code
 * address}.
 *
 * <p>Carries no stack trace: hostile input decides how often one is made.
 */
public sealed class ProtocolException extends Exception permits MalformedFrameException {
    private static final long serialVersionUID = 1L;

    private final String token;

    /**
     * @param token stable, lower case, for example {@code bad-unicode}
     * @param text for people; never quotes the input
     */
    public ProtocolException(String token, String text) {
        super(text, null, false, false);
        this.token = token;
    }

    /** For example {@code bad-unicode}, {@code duplicate-key}, {@code nesting}, {@code created-at}, {@code hex}. */
    public final String token() {
        return token;
    }

    /** {@code invalid: token text}, as OK, CLOSED and NOTICE carry it. */
    public final String wireReason() {
        return "invalid: " + token + " " + getMessage();
    }
}
