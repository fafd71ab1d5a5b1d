package im.parley.relay.internal;

import im.parley.api.event.PublicKey;
import java.util.HashSet;
import java.util.Set;

/** The keys one connection has proven to hold (NIP-42). Immutable; a connection only ever gains keys. */
record ProvenKeys(Set<PublicKey> keys, Set<String> hex) {
    static final ProvenKeys NONE = new ProvenKeys(Set.of(), Set.of());

    ProvenKeys {
        keys = Set.copyOf(keys);
        hex = Set.copyOf(hex);
    }

    ProvenKeys with(PublicKey key) {
        Set<PublicKey> moreKeys = new HashSet<>(keys);
        Set<String> moreHex = new HashSet<>(hex);
        moreKeys.add(key);
        moreHex.add(key.hex());
        return new ProvenKeys(moreKeys, moreHex);
    }

    boolean contains(PublicKey key) {
        return keys.contains(key);
    }

    boolean isEmpty() {
        return keys.isEmpty();
    }

    int size() {
        return keys.size();
    }
}
