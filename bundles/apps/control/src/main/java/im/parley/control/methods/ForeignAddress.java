package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.control.ControlException;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a person typed or pasted where somebody's address belongs. */
final class ForeignAddress {
    private ForeignAddress() {}

    /**
     * Somebody's key is never taken, wherever it was pasted.
     *
     * @throws ControlException {@code contact.secret-key}; says nothing of the key
     */
    static void refuseSecretKey(String typed) throws ControlException {
        if (plain(typed).toLowerCase(Locale.ROOT).startsWith("nsec1")) {
            throw ControlException.of(
                    Kind.REJECTED, "contact.secret-key", "That is a secret key (nsec), not an address.");
        }
    }

    /** The key that an npub or nprofile names; null if it is neither. */
    static @Nullable PublicKey pubkey(String typed) {
        try {
            Nip19.Entity entity = Nip19.decode(plain(typed));
            return entity instanceof Nip19.Npub npub
                    ? npub.pubkey()
                    : entity instanceof Nip19.Profile profile ? profile.pubkey() : null;
        } catch (ProtocolException e) {
            return null;
        }
    }

    private static String plain(String typed) {
        String text = typed.strip();
        return text.regionMatches(true, 0, "nostr:", 0, 6) ? text.substring(6) : text;
    }
}
