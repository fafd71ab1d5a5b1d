package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import org.jspecify.annotations.Nullable;

/**
 * Sees to it that a key is an identity of one circle only. Whoever takes a key holds this object's monitor from the check
 * until the identity is written.
 */
interface KeyOwners {
    /**
     * @param key null for one that is new
     * @throws ProviderException {@code REJECTED identity.known} if another circle has this key, {@code REJECTED
     *     circle.unknown} if this circle is over
     */
    void check(Scope scope, @Nullable PublicKey key) throws ProviderException;
}
