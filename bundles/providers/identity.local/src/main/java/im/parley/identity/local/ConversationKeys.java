package im.parley.identity.local;

import im.parley.api.event.PublicKey;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The conversation keys used last, so that a message to a known peer needs no curve operation. Overwritten when they
 * leave, all of them at each {@link #wipe}. Thread-safe.
 */
final class ConversationKeys {
    /** Enough for the people of an evening; a key agreement for anyone else costs well under a millisecond. */
    static final int CAPACITY = 256;

    private final Map<Pair, byte[]> keys = new LinkedHashMap<>(CAPACITY, 0.75f, true);
    private long generation;

    /** Copies, because the cached array may be overwritten at any moment. */
    synchronized byte @Nullable [] get(PublicKey own, PublicKey peer) {
        byte[] key = keys.get(new Pair(own, peer));
        return key == null ? null : key.clone();
    }

    /** To be asked before the secret key is read, and handed to {@link #put}. */
    synchronized long generation() {
        return generation;
    }

    /** Keeps a copy, unless a {@link #wipe} came between: the key may then be one that must not outlive it. */
    synchronized void put(long since, PublicKey own, PublicKey peer, byte[] key) {
        if (since != generation) {
            return;
        }
        byte[] before = keys.put(new Pair(own, peer), key.clone());
        if (before != null) {
            Arrays.fill(before, (byte) 0);
        }
        Iterator<byte[]> eldestFirst = keys.values().iterator();
        while (keys.size() > CAPACITY) {
            Arrays.fill(eldestFirst.next(), (byte) 0);
            eldestFirst.remove();
        }
    }

    synchronized void wipe() {
        generation++;
        for (byte[] key : keys.values()) {
            Arrays.fill(key, (byte) 0);
        }
        keys.clear();
    }

    synchronized int size() {
        return keys.size();
    }

    private record Pair(PublicKey own, PublicKey peer) {}
}
