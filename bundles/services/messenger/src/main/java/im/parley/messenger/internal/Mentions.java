package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** People that a text names, as {@code nostr:npub1…} or {@code nostr:nprofile1…} (NIP-27). */
final class Mentions {
    /** Of one text; later ones are left as they are. */
    static final int MOST = 50;

    private static final Pattern ADDRESS =
            Pattern.compile("nostr:(npub1[02-9ac-hj-np-z]{58}|nprofile1[02-9ac-hj-np-z]{1,500})");

    private Mentions() {}

    /** @param address as it stands in the text */
    record Found(String address, PublicKey who) {}

    /** Each once, in the order of the text. */
    static List<Found> in(String text) {
        Set<Found> named = new LinkedHashSet<>();
        Matcher matcher = ADDRESS.matcher(text);
        while (named.size() < MOST && matcher.find()) {
            PublicKey key = key(matcher.group(1));
            if (key != null) {
                named.add(new Found(matcher.group(), key));
            }
        }
        return List.copyOf(named);
    }

    static boolean names(String text, PublicKey who) {
        return text.contains("nostr:n")
                && in(text).stream().anyMatch(found -> found.who().equals(who));
    }

    /**
     * With addresses in the place of {@code @name}, where that is the name of a member and stands by itself.
     *
     * @param members by name
     */
    static String addressed(String text, Map<String, PublicKey> members) {
        if (text.indexOf('@') < 0) {
            return text;
        }
        List<String> names = members.keySet().stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList();
        StringBuilder result = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            String name = text.charAt(at) == '@' && (at == 0 || !isPart(text.codePointBefore(at)))
                    ? nameAt(text, at + 1, names)
                    : null;
            PublicKey member = name == null ? null : members.get(name);
            if (name != null && member != null) {
                result.append("nostr:").append(Nip19.npub(member));
                at += 1 + name.length();
            } else {
                result.append(text.charAt(at));
                at++;
            }
        }
        return result.toString();
    }

    private static @Nullable String nameAt(String text, int from, List<String> names) {
        for (String name : names) {
            int to = from + name.length();
            if (text.startsWith(name, from) && (to == text.length() || !isPart(text.codePointAt(to)))) {
                return name;
            }
        }
        return null;
    }

    private static boolean isPart(int c) {
        return Character.isLetterOrDigit(c) || Character.getType(c) == Character.NON_SPACING_MARK;
    }

    private static @Nullable PublicKey key(String address) {
        try {
            Nip19.Entity entity = Nip19.decode(address);
            if (entity instanceof Nip19.Npub npub) {
                return npub.pubkey();
            }
            return entity instanceof Nip19.Profile profile ? profile.pubkey() : null;
        } catch (ProtocolException e) {
            return null;
        }
    }
}
