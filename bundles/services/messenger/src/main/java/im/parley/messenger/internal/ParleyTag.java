package im.parley.messenger.internal;

import im.parley.api.event.Rumor;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rumor tag {@code ["parley", deviceId, seq, hlc]} by which nodes of this kind tell each other the order of writing.
 *
 * @param device 1 to 32 lower-case hex digits, random, one per account and node
 * @param seq 1 and up without holes, per device and conversation
 * @param clock see {@link HybridClock}
 */
record ParleyTag(String device, long seq, long clock) {
    static final String NAME = "parley";

    private static final long MAX_SEQ = (1L << 53) - 1;
    /** A logical clock runs ahead of the wall clock by what it saw elsewhere, but not by more than this. */
    private static final Duration MAX_DISTANCE = Duration.ofMinutes(10);

    List<String> tag() {
        return List.of(NAME, device, Long.toString(seq), HybridClock.text(clock));
    }

    /** Null if there is none or it cannot be true; the rumor then orders by its date, as every foreign one. */
    static @Nullable ParleyTag of(Rumor rumor) {
        for (List<String> tag : rumor.tags()) {
            if (tag.get(0).equals(NAME)) {
                return tag.size() == 4 ? parsed(tag, rumor.createdAt(), Versions.edited(rumor) != null) : null;
            }
        }
        return null;
    }

    private static @Nullable ParleyTag parsed(List<String> tag, long createdAt, boolean edit) {
        String device = tag.get(1);
        long seq = seq(tag.get(2));
        long clock = HybridClock.parse(tag.get(3));
        if (device.isEmpty() || device.length() > 32 || seq < 1 || clock < 0) {
            return null;
        }
        for (int i = 0; i < device.length(); i++) {
            char c = device.charAt(i);
            if (!(c >= '0' && c <= '9' || c >= 'a' && c <= 'f')) {
                return null;
            }
        }
        long ahead = HybridClock.millis(clock) / 1000 - createdAt;
        // An edit has the date of what it edits.
        boolean near = ahead >= -MAX_DISTANCE.toSeconds() && (edit || ahead <= MAX_DISTANCE.toSeconds());
        return near ? new ParleyTag(device, seq, clock) : null;
    }

    private static long seq(String text) {
        if (text.isEmpty() || text.length() > 16 || text.charAt(0) == '0') {
            return -1;
        }
        long value = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') {
                return -1;
            }
            value = value * 10 + (c - '0');
        }
        return value <= MAX_SEQ ? value : -1;
    }
}
