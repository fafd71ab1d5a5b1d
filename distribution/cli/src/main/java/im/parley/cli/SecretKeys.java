package im.parley.cli;

import java.util.Locale;
import java.util.regex.Pattern;

/** Secret keys in the place of a name or an address: they are refused here, so that they travel no further. */
final class SecretKeys {
    private static final Pattern WITH_PREFIX = Pattern.compile("(nostr:)?n(crypt)?sec1.*", Pattern.DOTALL);

    /** It may be a public key, but whoever pastes it should not have to know. */
    private static final Pattern PLAIN = Pattern.compile("[0-9a-f]{64}");

    /** Anywhere in a URL: whoever looks the host up, or reads the list of relays, would have it. */
    private static final Pattern WITHIN = Pattern.compile("n(crypt)?sec1[02-9ac-hj-np-z]{20,}");

    private SecretKeys() {}

    /** @param what was not done */
    static void refuseInUrl(String what, String url) throws Failure {
        if (WITHIN.matcher(plain(url)).find()) {
            throw new Failure(
                    Exit.REFUSED,
                    "relay.secret-key",
                    what,
                    "That has a secret key in it, not only the address of a relay, and it stands in the history of your"
                            + " shell now.",
                    "Whoever has it can read and write as its owner: take it out of the history, and give an address"
                            + " such as wss://relay.example.org.");
        }
    }

    /** @param what was not done */
    static void refuseAsAddress(String what, String typed) throws Failure {
        if (WITH_PREFIX.matcher(plain(typed)).matches()) {
            throw contact(what, "an address");
        }
    }

    /** @param what was not done */
    static void refuseAsContact(String what, String name) throws Failure {
        if (looksLikeOne(name)) {
            throw contact(what, "a name");
        }
    }

    private static Failure contact(String what, String place) {
        return new Failure(
                Exit.REFUSED,
                "contact.secret-key",
                what,
                "That looks like a secret key, not " + place + ", and it stands in the history of your shell now.",
                "Whoever has it can read and write as its owner: take it out of the history, and use the npub instead.");
    }

    /** @param what was not done */
    static void refuseAsIdentity(String what, String name) throws Failure {
        if (looksLikeOne(name)) {
            throw new Failure(
                    Exit.REFUSED,
                    "identity.secret-key",
                    what,
                    "That looks like a secret key, not a name, and it stands in the history of your shell now.",
                    "Whoever has it can read and write as its owner: take it out of the history. ./parley identity import"
                            + " NAME asks for a key.");
        }
    }

    private static boolean looksLikeOne(String typed) {
        String plain = plain(typed);
        return WITH_PREFIX.matcher(plain).matches() || PLAIN.matcher(plain).matches();
    }

    private static String plain(String typed) {
        return typed.strip().toLowerCase(Locale.ROOT);
    }
}
