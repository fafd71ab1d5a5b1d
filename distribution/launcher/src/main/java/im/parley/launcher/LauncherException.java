package im.parley.launcher;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Why a node did not start, in three parts for people and one stable code for machines. Never holds a secret.
 *
 * <p>Codes: {@code node.running}, {@code distribution.tampered}, {@code distribution.missing}, {@code
 * distribution.invalid}, {@code distribution.bad-path}, {@code stack.corrupt}, {@code stack.tampered}, {@code
 * stack.untrusted-bundle}, {@code data.unusable}, {@code data.unsafe}, {@code data.not-parley}, {@code data.bad-path},
 * {@code runtime.unsafe}, {@code config.invalid}, {@code bundle.failed}, {@code node.not-ready}; those of plugins, which {@link TrustStore} lists; and those of parts that
 * will not heal by themselves, such as {@code http.port-in-use} and {@code vault.no-device-key}.
 */
public final class LauncherException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String code;
    private final String what;
    private final String why;
    private final String next;

    /**
     * @param code stable, lower case, dotted
     * @param what what happened
     * @param why the cause
     * @param next what a person can do
     */
    public LauncherException(String code, String what, String why, String next) {
        this(code, what, why, next, null);
    }

    public LauncherException(String code, String what, String why, String next, @Nullable Throwable cause) {
        super(code + ": " + what + " " + why + " " + next, cause);
        this.code = Objects.requireNonNull(code);
        this.what = Objects.requireNonNull(what);
        this.why = Objects.requireNonNull(why);
        this.next = Objects.requireNonNull(next);
    }

    public String code() {
        return code;
    }

    public String what() {
        return what;
    }

    public String why() {
        return why;
    }

    public String next() {
        return next;
    }
}
