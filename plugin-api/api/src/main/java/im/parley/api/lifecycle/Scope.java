package im.parley.api.lifecycle;

/**
 * The circle something happens in. Two scopes never share a space, a connection or an identity. Immutable.
 *
 * @param circle 1 to 64 characters of {@code a-z 0-9 -}
 */
public record Scope(String circle) {
    /** The circle every node has from its first day. */
    public static final Scope DEFAULT = new Scope("default");

    public Scope {
        if (circle.isEmpty() || circle.length() > 64) {
            throw new IllegalArgumentException("a circle name has 1 to 64 characters");
        }
        for (int i = 0; i < circle.length(); i++) {
            char c = circle.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')) {
                throw new IllegalArgumentException("a circle name has only a-z, 0-9 and -");
            }
        }
    }
}
