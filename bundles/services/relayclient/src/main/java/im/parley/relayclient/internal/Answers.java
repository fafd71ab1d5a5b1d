package im.parley.relayclient.internal;

import im.parley.relayclient.PublishResult;
import im.parley.relayclient.PublishResult.State;

/** What a relay's OK and CLOSED texts mean (NIP-01, NIP-42). The texts are foreign: shortened and without controls. */
final class Answers {
    private static final int MAX_CHARACTERS = 256;

    private Answers() {}

    static PublishResult ok(boolean accepted, String message) {
        String text = clean(message);
        if (accepted) {
            return new PublishResult(State.ACCEPTED, text);
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
