package im.parley.relayclient;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Scope;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * As whom a connection is used. Two personas never share one, so that a relay cannot link them by the connection.
 *
 * @param scope circle
 * @param identity who authenticates when the relay asks; null to stay nobody
 * @param lane tells apart connections of the same identity, for example {@code inbox} and {@code out}
 * @param signer gives a signer opened for {@code RELAY_AUTH}; null with a null identity. Asked per use, not kept
 */
public record Persona(
        Scope scope,
        @Nullable PublicKey identity,
        String lane,
        @Nullable Supplier<Signer> signer) {
    /** Nobody in particular, as gift wraps are published. */
    public static Persona anonymous(Scope scope, String lane) {
        return new Persona(scope, null, lane, null);
    }

    /** Key of the connection: the signer does not count. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Persona p
                && p.scope.equals(scope)
                && java.util.Objects.equals(p.identity, identity)
                && p.lane.equals(lane);
    }

    @Override
    public int hashCode() {
        return java.util.Objects.hash(scope, identity, lane);
    }

    @Override
    public String toString() {
        return "Persona[" + scope.circle() + ", " + (identity == null ? "anonymous" : "identified") + ", " + lane + "]";
    }
}
