package im.parley.cipher;

import java.util.Objects;

/**
 * A refusal by a cipher, with a stable code. Neither code nor text tells anything about a key or a plaintext. Carries no
 * stack trace: hostile input decides how often one is made.
 *
 * <table>
 * <caption>Codes</caption>
 * <tr><td>{@code crypto.bad-payload}</td><td>too short to be a message</td></tr>
 * <tr><td>{@code crypto.bad-base64}</td><td>not canonical base64</td></tr>
 * <tr><td>{@code crypto.unsupported-version}</td><td>a version of NIP-44 other than 2</td></tr>
 * <tr><td>{@code crypto.bad-mac}</td><td>wrong key, or changed on the way</td></tr>
 * <tr><td>{@code crypto.bad-padding}</td><td>authentic, but its length prefix does not fit</td></tr>
 * <tr><td>{@code crypto.bad-unicode}</td><td>not UTF-8, or a lone surrogate</td></tr>
 * <tr><td>{@code crypto.too-large}</td><td>above {@link Nip44#MAX_PLAINTEXT}</td></tr>
 * <tr><td>{@code key.weak-passphrase}</td><td>a few guesses find it, see {@link Passphrase}</td></tr>
 * <tr><td>{@code crypto.empty}</td><td>NIP-44 has no empty message</td></tr>
 * </table>
 */
public final class CipherException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String code;

    /**
     * @param code stable, lower case, dotted
     * @param text what happened and why, without secrets
     */
    public CipherException(String code, String text) {
        super(text, null, false, false);
        this.code = Objects.requireNonNull(code);
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
        return code + ": " + getMessage();
    }
}
