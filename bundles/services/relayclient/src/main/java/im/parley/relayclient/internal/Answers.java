package im.parley.relayclient.internal;

import im.parley.relayclient.PublishResult;
import im.parley.relayclient.PublishResult.State;
import java.util.List;
import java.util.Locale;

/** What a relay's OK and CLOSED texts mean (NIP-01, NIP-42). The texts are foreign: shortened and without controls. */
final class Answers {
    private static final int MAX_CHARACTERS = 256;
    private static final List<String> CLOCK_WORDS =
            List.of("created at", "timestamp", "clock", "too old", "too early", "too late", "in the future", "expired");
    private static final List<String> FUTURE_WORDS = List.of("created at future", "the future", "created at too late");

    private Answers() {}

    static PublishResult ok(boolean accepted, String message) {
        String text = clean(message);
        if (accepted) {
            return new PublishResult(State.ACCEPTED, text);
        }
        if (prefix(message).equals("invalid") && isFromTheFuture(message)) {
            return new PublishResult(State.UNKNOWN, "clock.skew");
        }
        return new PublishResult(
                switch (prefix(message)) {
                    // Some relays say false to what they already have.
                    case "duplicate" -> State.ACCEPTED;
                    case "invalid", "blocked", "restricted", "pow", "mute", "unsupported", "auth-required" ->
                        State.REFUSED;
                    default -> State.UNKNOWN;
                },
                text);
    }

    static boolean wantsAuth(String message) {
        return prefix(message).equals("auth-required");
    }

    /** Whether a refusal names the event's time; relays say it in words of their own. */
    static boolean blamesTheClock(String message) {
        return names(message, CLOCK_WORDS);
    }

    /** Whether a refusal says that the event is dated ahead, which is so while one of the clocks is wrong and no longer. */
    private static boolean isFromTheFuture(String message) {
        return names(message, FUTURE_WORDS);
    }

    private static boolean names(String message, List<String> words) {
        String text = message.toLowerCase(Locale.ROOT).replace('-', ' ').replace('_', ' ');
        return words.stream().anyMatch(text::contains);
    }

    /** The machine-readable word, or empty. */
    static String prefix(String message) {
        int colon = message.indexOf(':');
        return colon < 1 || colon > 32 ? "" : message.substring(0, colon);
    }

    static String clean(String message) {
        int end = Math.min(message.length(), MAX_CHARACTERS);
        if (end < message.length() && Character.isHighSurrogate(message.charAt(end - 1))) {
            end--;
        }
        StringBuilder clean = new StringBuilder(end);
        for (int i = 0; i < end; i++) {
            char c = message.charAt(i);
            int type = Character.getType(c);
            boolean printable = type != Character.CONTROL
                    && type != Character.FORMAT
                    && type != Character.LINE_SEPARATOR
                    && type != Character.PARAGRAPH_SEPARATOR;
            clean.append(printable ? c : ' ');
        }
        return clean.toString();
    }
}
