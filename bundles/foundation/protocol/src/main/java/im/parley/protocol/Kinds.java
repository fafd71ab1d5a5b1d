package im.parley.protocol;

import im.parley.api.event.Event;
import java.util.List;
import java.util.Optional;

/**
 * The kinds this product knows by name, and the four classes of NIP-01. Kinds of no class named there (45 to 999, 40000 and
 * up) are regular, as kinds in use show.
 */
public final class Kinds {
    /** Profile, replaceable (NIP-01). */
    public static final int PROFILE = 0;

    /** Short public note (NIP-10). */
    public static final int NOTE = 1;

    /** Follow list, replaceable (NIP-02). */
    public static final int FOLLOWS = 3;

    /** NIP-04 message; never written, shown as legacy only. */
    public static final int LEGACY_MESSAGE = 4;

    /** Deletion request (NIP-09), also as a rumor. */
    public static final int DELETION = 5;

    /** Reaction (NIP-25), also as a rumor. */
    public static final int REACTION = 7;

    /** Sealed rumor (NIP-59); only ever inside a wrap. */
    public static final int SEAL = 13;

    /** Text message rumor (NIP-17). */
    public static final int TEXT = 14;

    /** File message rumor (NIP-17). */
    public static final int FILE = 15;

    /** Request to vanish (NIP-62). */
    public static final int VANISH = 62;

    /** Application data (NIP-78); as a rumor receipts and signs of typing, told apart by a {@code t} tag. */
    public static final int SIGNAL = 78;

    /** MLS welcome rumor (Marmot). */
    public static final int WELCOME = 444;

    /** Gift wrap, stored (NIP-59). */
    public static final int GIFT_WRAP = 1059;

    /** Relay list, replaceable (NIP-65). */
    public static final int RELAY_LIST = 10002;

    /** Relays for direct messages, replaceable (NIP-17). */
    public static final int DM_RELAYS = 10050;

    /** File servers, replaceable (BUD-03). */
    public static final int FILE_SERVERS = 10063;

    /** Gift wrap, never stored (NIP-59). */
    public static final int EPHEMERAL_WRAP = 21059;

    /** Authentication to a relay (NIP-42); ephemeral by number, never stored nor broadcast. */
    public static final int AUTH = 22242;

    /** Authorisation at a file server (BUD-11). */
    public static final int FILE_AUTH = 24242;

    /** Authorisation of an HTTP request (NIP-98). */
    public static final int HTTP_AUTH = 27235;

    /** Application data, addressable (NIP-78). */
    public static final int APPLICATION_DATA = 30078;

    private Kinds() {}

    /** Stored, all versions kept. */
    public static boolean isRegular(int kind) {
        return !isReplaceable(kind) && !isEphemeral(kind) && !isAddressable(kind);
    }

    /** Stored, the newest per author and kind. */
    public static boolean isReplaceable(int kind) {
        return kind == 0 || kind == 3 || kind >= 10000 && kind < 20000;
    }

    /** Passed on, not stored. */
    public static boolean isEphemeral(int kind) {
        return kind >= 20000 && kind < 30000;
    }

    /** Stored, the newest per author, kind and {@code d} tag. */
    public static boolean isAddressable(int kind) {
        return kind >= 30000 && kind < 40000;
    }

    /** Whether it is a gift wrap, stored or ephemeral: for the eyes of the key in its p tag only (NIP-59). */
    public static boolean isWrap(int kind) {
        return kind == GIFT_WRAP || kind == EPHEMERAL_WRAP;
    }

    /**
     * Where a newer version replaces this event; empty for regular and ephemeral kinds. The first {@code d} tag counts; no
     * such tag, or one without a value, is the empty identifier.
     */
    public static Optional<Address> address(Event event) {
        if (isReplaceable(event.kind())) {
            return Optional.of(new Address(event.kind(), event.pubkey(), ""));
        }
        if (!isAddressable(event.kind())) {
            return Optional.empty();
        }
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals("d")) {
                return Optional.of(new Address(event.kind(), event.pubkey(), tag.size() > 1 ? tag.get(1) : ""));
            }
        }
        return Optional.of(new Address(event.kind(), event.pubkey(), ""));
    }
}
