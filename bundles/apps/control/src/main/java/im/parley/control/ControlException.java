package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;

/** A call that was not done, with the stable code and the reason that the caller is shown. */
public final class ControlException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int number;
    private final Kind kind;
    private final String code;
    private final String why;
    private final String next;

    ControlException(int number, Kind kind, String code, String why) {
        this(number, kind, code, why, "");
    }

    private ControlException(int number, Kind kind, String code, String why, String next) {
        super(code + ": " + why);
        this.number = number;
        this.kind = kind;
        this.code = code;
        this.why = why;
        this.next = next;
    }

    /** A refusal with a stable code. */
    public static ControlException of(Kind kind, String code, String why) {
        return new ControlException(Protocol.numberOf(kind), kind, code, why);
    }

    /** The same with what a person can do. */
    public static ControlException of(Kind kind, String code, String why, String next) {
        return new ControlException(Protocol.numberOf(kind), kind, code, why, next);
    }

    static ControlException of(ProviderException e) {
        return of(e.kind(), e.code(), e.getMessage());
    }

    /** The JSON-RPC error number. */
    int number() {
        return number;
    }

    public Kind kind() {
        return kind;
    }

    /** Stable, lower case, dotted. */
    public String code() {
        return code;
    }

    /** The reason, for people. */
    public String why() {
        return why;
    }

    /** What a person can do; empty if the code says it. */
    String next() {
        return next;
    }
}
