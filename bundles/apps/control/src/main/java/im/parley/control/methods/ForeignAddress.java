package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.control.ControlException;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a person typed or pasted where somebody's address belongs. */
final class ForeignAddress {
    private static final Pattern HEX_KEY = Pattern.compile("[0-9a-fA-F]{64}");

    private ForeignAddress() {}

    /**
     * Somebody's key is never taken, wherever it was pasted.
     *
     * @throws ControlException {@code contact.secret-key}; says nothing of the key
     */
    static void refuseSecretKey(String typed) throws ControlException {
        if (hasPrefix(typed)) {
            throw ControlException.of(
                    Kind.REJECTED, "contact.secret-key", "That looks like a secret key, not like an address.");
        }
    }

    /**
     * As {@link #refuseSecretKey}, for names, which are shown everywhere. 64 hexadecimal digits may be a public key, but
     * whoever pastes them should not have to know.
     *
     * @param code of the refusal
     * @throws ControlException says nothing of the key
     */
    static void refuseSecretKeyAsName(String name, String code) throws ControlException {
        if (hasPrefix(name) || HEX_KEY.matcher(plain(name)).matches()) {
            throw ControlException.of(Kind.REJECTED, code, "That looks like a secret key, not like a name.");
        }
    }

    private static boolean hasPrefix(String typed) {
        String text = plain(typed).toLowerCase(Locale.ROOT);
        return text.startsWith("nsec1") || text.startsWith("ncryptsec1");
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
