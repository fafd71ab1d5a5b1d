package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;

/** What the messenger says no to. */
final class Rejected {
    private Rejected() {}

    static ProviderException of(String code, String text) {
        return new ProviderException(Kind.REJECTED, code, text);
    }
}
