package im.parley.protocol;

import im.parley.api.event.PublicKey;

/**
 * The address of a replaceable or addressable event, {@code kind:pubkey:d} as {@code a} tags have it (NIP-01). Immutable
 * and thread-safe.
 *
 * @param kind a replaceable or addressable kind
 * @param identifier the {@code d} value; empty for replaceable kinds
 */
public record Address(int kind, PublicKey pubkey, String identifier) {
    public Address {
        if (!Kinds.isReplaceable(kind) && !Kinds.isAddressable(kind)) {
            throw new IllegalArgumentException("kind " + kind + " has no address");
        }
        if (Kinds.isReplaceable(kind) && !identifier.isEmpty()) {
            throw new IllegalArgumentException("a replaceable kind has an address without identifier");
        }
    }

    /** {@code kind:pubkey:d}; with a colon at the end for replaceable kinds. */
    public String coordinate() {
        return kind + ":" + pubkey.hex() + ":" + identifier;
    }

    /**
     * Reads {@code kind:pubkey:d}; the identifier may hold colons.
     *
     * @throws ProtocolException {@code address}
     */
    public static Address parse(String coordinate) throws ProtocolException {
        int first = coordinate.indexOf(':');
        int second = first < 0 ? -1 : coordinate.indexOf(':', first + 1);
        if (first < 1 || first > 5 || second != first + 65) {
            throw fault();
        }
        int kind = 0;
        for (int i = 0; i < first; i++) {
            char c = coordinate.charAt(i);
            if (c < '0' || c > '9' || c == '0' && i == 0 && first > 1) {
                throw fault();
            }
            kind = kind * 10 + c - '0';
        }
        String key = coordinate.substring(first + 1, second);
        String identifier = coordinate.substring(second + 1);
        boolean fits = Kinds.isAddressable(kind) || Kinds.isReplaceable(kind) && identifier.isEmpty();
        if (!fits || !Texts.isHex(key)) {
            throw fault();
        }
        return new Address(kind, PublicKey.ofHex(key), Texts.checked(identifier));
    }

    private static ProtocolException fault() {
        return new ProtocolException("address", "an address is kind:pubkey:d of a replaceable or addressable kind");
    }

    @Override
    public String toString() {
        return "Address[kind " + kind + "]";
    }
}
