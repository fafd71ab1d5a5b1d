package im.parley.api.policy;

import org.jspecify.annotations.Nullable;

/**
 * What a policy says of an event or a query.
 *
 * @param prefix the machine-readable part of the refusal (NIP-01, NIP-42); null if the policy has nothing against it
 * @param reason for people, sent behind the prefix; 1 to 200 characters without line breaks, and empty only if the prefix
 *     is null
 */
public record Verdict(@Nullable Prefix prefix, String reason) {
    private static final int MAX_REASON = 200;
    private static final Verdict ACCEPTED = new Verdict(null, "");

    /** What a policy may answer with. */
    public enum Prefix {
        /** Not here, whoever tries and whenever. */
        BLOCKED("blocked"),
        /** Not so much or so often; later it may pass. */
        RATE_LIMITED("rate-limited"),
        /** Not for this client. */
        RESTRICTED("restricted"),
        /** It may pass once the client has proven a key. */
        AUTH_REQUIRED("auth-required"),
        /** It takes more proof of work (NIP-13). */
        POW("pow");

        private final String wire;

        Prefix(String wire) {
            this.wire = wire;
        }

        /** As on the wire, without the colon. */
        public String wire() {
            return wire;
        }
    }

    /** @throws IllegalArgumentException if prefix and reason do not fit each other or the reason is too long */
    public Verdict {
        if ((prefix == null) != reason.isEmpty()
                || reason.length() > MAX_REASON
                || reason.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "a refusal has a prefix and a reason of 1 to " + MAX_REASON + " characters in one line");
        }
    }

    /** The policy has nothing against it; the next one is asked. */
    public static Verdict accept() {
        return ACCEPTED;
    }

    /** @throws IllegalArgumentException if the reason is empty, longer than 200 characters or has control characters */
    public static Verdict refuse(Prefix prefix, String reason) {
        return new Verdict(prefix, reason);
    }

    public boolean accepted() {
        return prefix == null;
    }
}
