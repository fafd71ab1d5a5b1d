package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.Kinds;
import im.parley.vault.SealedSpace.Tx;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What rumors say about others (NIP-17, NIP-25, NIP-09): which message one answers, reactions, and that an author took
 * something back. What they speak of may arrive after them.
 */
final class Marks {
    /** Of one deletion; more in one rumor are not looked at. */
    static final int MOST_TARGETS = 100;

    /** Of one message; later ones are kept and not shown. */
    static final int MOST_SHOWN = 1_000;

    private static final int MOST_WIPED = 10_000;
    private static final int MAX_REACTION_BYTES = 64;
    private static final int ID_LENGTH = 64;

    private Marks() {}

    /** The ids that it names, each once. */
    static List<String> targets(Rumor rumor) {
        Set<String> targets = new LinkedHashSet<>();
        for (String id : rumor.tagValues("e")) {
            if (isId(id) && targets.size() < MOST_TARGETS) {
                targets.add(id);
            }
        }
        return List.copyOf(targets);
    }

    /** What it answers or is about; empty if nothing. Among several of a text the one marked so, or the last. */
    static String about(Rumor rumor) {
        String last = "";
        for (List<String> tag : rumor.tags()) {
            if (tag.size() > 1 && tag.get(0).equals("e") && isId(tag.get(1))) {
                if (tag.size() > 3 && tag.get(3).equals("reply")) {
                    return tag.get(1);
                }
                last = tag.get(1);
            }
        }
        return last;
    }

    private static boolean isId(String text) {
        return text.length() == ID_LENGTH && text.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    /** When it shall be gone everywhere, in epoch seconds; 0 for never. What is no such time counts as never. */
    static long expires(Rumor rumor) {
        for (String value : rumor.tagValues("expiration")) {
            if (!value.isEmpty() && value.length() <= 12 && value.chars().allMatch(c -> c >= '0' && c <= '9')) {
                return Long.parseLong(value);
            }
        }
        return 0;
    }

    /** Whether it can stand beside a message: short, one line, nothing that is not seen. */
    static boolean isReaction(String content) {
        return !content.isBlank()
                && content.getBytes(StandardCharsets.UTF_8).length <= MAX_REACTION_BYTES
                && content.codePoints().noneMatch(Marks::disturbs);
    }

    private static boolean disturbs(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE,
                    Character.UNASSIGNED -> true;
            // Joins the parts of one picture; all else of that kind turns text around or hides.
            case Character.FORMAT -> c != 0x200d && (c < 0xe0020 || c > 0xe007f);
            default -> false;
        };
    }

    /** Whether its author took the message of that id back before it came. */
    static boolean isDeleted(Tx tx, PublicKey account, String id, PublicKey author) throws ProviderException {
        for (Book.Mark mark : Book.marks(tx, account, id, MOST_SHOWN)) {
            if (mark.kind() == Kinds.DELETION && mark.author().equals(author)) {
                return true;
            }
        }
        return false;
    }

    /** The reactions to a message, oldest first; the same of one person once. */
    static List<Book.Mark> reactions(Tx tx, PublicKey account, String id) throws ProviderException {
        List<Book.Mark> reactions = new ArrayList<>();
        Set<String> known = new LinkedHashSet<>();
        for (Book.Mark mark : Book.marks(tx, account, id, MOST_SHOWN)) {
            if (mark.kind() == Kinds.REACTION && known.add(mark.author().hex() + mark.content())) {
                reactions.add(mark);
            }
        }
        return reactions;
    }

    /** Takes a message away with all that was said about it; that it was seen stays, so that it never comes back. */
    static void wipe(Tx tx, PublicKey account, Line line, Erasing erasing) throws ProviderException {
        for (Book.Mark mark : Book.marks(tx, account, line.id(), MOST_WIPED)) {
            Line said = Book.at(tx, account, mark.position());
            if (said != null && said.about().equals(line.id())) {
                Book.remove(tx, account, said);
            }
            Book.removeMark(tx, account, line.id(), mark.position());
        }
        Versions.remove(tx, account, line.id());
        FileMessages.forget(tx, account, line);
        Chats.wiped(tx, account, line);
        Signals.forget(tx, account, line);
        if (line.kind() == Kinds.REACTION) {
            Book.removeMark(tx, account, line.about(), line.position());
        }
        Book.remove(tx, account, line);
        erasing.took(account, line);
    }

    /** Takes the text away, and a reaction from what it was about. */
    static void erase(Tx tx, PublicKey account, Line line, Erasing erasing) throws ProviderException {
        if (line.kind() == Kinds.REACTION) {
            Book.removeMark(tx, account, line.about(), line.position());
        }
        Versions.remove(tx, account, line.id());
        FileMessages.forget(tx, account, line);
        Chats.erased(tx, account, line);
        Book.put(tx, account, line.erased());
        erasing.took(account, line);
    }
}
