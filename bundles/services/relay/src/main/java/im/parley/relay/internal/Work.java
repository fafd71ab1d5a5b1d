package im.parley.relay.internal;

import im.parley.api.event.Event;
import java.util.List;

/** Proof of work (NIP-13). */
final class Work {
    private Work() {}

    /**
     * The leading zero bits of the id; but a target that the nonce tag commits to counts if it is lower, since the rest was
     * luck.
     */
    static int difficulty(Event event) {
        int bits = leadingZeros(event.id().bytes());
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals("nonce") && tag.size() > 2) {
                try {
                    return Math.min(bits, Integer.parseInt(tag.get(2)));
                } catch (NumberFormatException e) {
                    return 0;
                }
            }
        }
        return bits;
    }

    private static int leadingZeros(byte[] id) {
        int bits = 0;
        for (byte each : id) {
            if (each != 0) {
                return bits + Integer.numberOfLeadingZeros(each & 0xff) - 24;
            }
            bits += 8;
        }
        return bits;
    }
}
