package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Messenger;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Ledger;
import im.parley.protocol.Kinds;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Messages as people are shown them. Thread-safe; blocks on disk. */
final class Reader {
    private final SealedSpace space;
    private final Services services;

    Reader(SealedSpace space, Services services) {
        this.space = space;
        this.services = services;
    }

    List<Message> messages(@Nullable String wanted, long after, int limit) throws ProviderException {
        return read(wanted, limit, (tx, account) -> Book.after(tx, account.pubkey(), after, limit), false);
    }

    List<Message> latest(@Nullable String wanted, int limit) throws ProviderException {
        return read(wanted, limit, (tx, account) -> newest(tx, account.pubkey(), limit), true);
    }

    /** Those that people read by themselves, newest first; what speaks of them stands beside them. */
    private static List<Line> newest(Tx tx, PublicKey account, int limit) throws ProviderException {
        List<Line> newest = new ArrayList<>();
        List<Line> page = Book.newest(tx, account, limit);
        while (!page.isEmpty()) {
            for (Line line : page) {
                if (line.isRead() && newest.size() < limit) {
                    newest.add(line);
                }
            }
            if (newest.size() == limit || page.size() < limit) {
                break;
            }
            page = Book.before(tx, account, page.get(page.size() - 1).position(), limit);
        }
        return newest;
    }

    @FunctionalInterface
    private interface Lines {
        List<Line> of(Tx tx, Account account) throws ProviderException;
    }

    private List<Message> read(@Nullable String wanted, int limit, Lines lines, boolean newest)
            throws ProviderException {
        if (limit < 1 || limit > 1_000) {
            throw new IllegalArgumentException("limit is 1 to 1,000");
        }
        record Of(Account account, Line line) {}
        long now = services.clock().instant().getEpochSecond();
        return space.transact(tx -> {
            List<Account> accounts = wanted == null ? Book.accounts(tx) : List.of(Accounts.pick(tx, wanted));
            List<Of> all = new ArrayList<>();
            for (Account account : accounts) {
                for (Line line : lines.of(tx, account)) {
                    // The wiping comes a moment later.
                    if (!line.isOver(now)) {
                        all.add(new Of(account, line));
                    }
                }
            }
            all.sort(Comparator.comparingLong(of -> of.line().position()));
            List<Of> cut = all.size() <= limit
                    ? all
                    : newest ? all.subList(all.size() - limit, all.size()) : all.subList(0, limit);
            if (newest) {
                cut.sort(Comparator.comparing(Of::line, Line.READING_ORDER));
            }
            Map<PublicKey, Map<PublicKey, String>> names = new HashMap<>();
            List<Message> messages = new ArrayList<>();
            for (Of of : cut) {
                Map<PublicKey, String> known = names.get(of.account().pubkey());
                if (known == null) {
                    known = Contacts.names(tx, of.account());
                    names.put(of.account().pubkey(), known);
                }
                messages.add(message(tx, of.account(), of.line(), known));
            }
            return messages;
        });
    }

    Message message(Tx tx, Account account, Line line, Map<PublicKey, String> names) throws ProviderException {
        String state = !line.outgoing()
                ? "received"
                : line.elsewhere()
                        ? "sent from another device"
                        : summary(services.outbox().entries(tx, line.id()));
        List<Messenger.Reaction> reactions = new ArrayList<>();
        if (line.isRead()) {
            for (Book.Mark mark : Marks.reactions(tx, account.pubkey(), line.id())) {
                reactions.add(new Messenger.Reaction(Contacts.named(mark.author(), names), mark.content()));
            }
        }
        return new Message(
                line.position(),
                line.id(),
                account.name(),
                line.peer(),
                Contacts.named(line.peer(), names),
                line.outgoing(),
                line.sentAt(),
                line.kind() == Versions.EDIT ? textOf(tx, account, line.about()) : line.text(),
                state,
                switch (line.kind()) {
                    case Kinds.FILE -> Messenger.What.FILE;
                    case Kinds.REACTION -> Messenger.What.REACTION;
                    case Kinds.DELETION -> Messenger.What.DELETION;
                    case Versions.EDIT -> Messenger.What.EDIT;
                    default -> Messenger.What.TEXT;
                },
                line.about(),
                line.conversation(),
                line.members().stream()
                        .map(member -> Contacts.named(member, names))
                        .toList(),
                reactions,
                line.deleted(),
                line.expires(),
                line.edits(),
                mentions(line.text(), account, names),
                line.kind() == Kinds.FILE
                        ? FileMessages.shown(FileMessages.description(tx, account.pubkey(), line))
                        : null);
    }

    private static String textOf(Tx tx, Account account, String id) throws ProviderException {
        Line line = Book.line(tx, account.pubkey(), id);
        return line == null ? "" : line.text();
    }

    private static List<Messenger.Mention> mentions(String text, Account account, Map<PublicKey, String> names) {
        if (!text.contains("nostr:n")) {
            return List.of();
        }
        List<Messenger.Mention> mentions = new ArrayList<>();
        for (Mentions.Found found : Mentions.in(text)) {
            mentions.add(new Messenger.Mention(
                    found.address(),
                    Contacts.named(found.who(), names),
                    found.who().equals(account.pubkey())));
        }
        return mentions;
    }

    /** Those that are there and not over. */
    List<Message> inReadingOrder(Tx tx, Account account, List<Long> positions) throws ProviderException {
        long now = services.clock().instant().getEpochSecond();
        List<Line> lines = new ArrayList<>();
        for (long position : positions) {
            Line line = Book.at(tx, account.pubkey(), position);
            if (line != null && !line.isOver(now)) {
                lines.add(line);
            }
        }
        lines.sort(Line.READING_ORDER);
        Map<PublicKey, String> names = Contacts.names(tx, account);
        List<Message> messages = new ArrayList<>();
        for (Line line : lines) {
            messages.add(message(tx, account, line, names));
        }
        return messages;
    }

    /** The texts that a message had, oldest first; the last is the one that it has. */
    List<Messenger.Version> history(@Nullable String wanted, String id) throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Line line = Writer.about(tx, account, id, true);
            List<Messenger.Version> texts = new ArrayList<>();
            for (Versions.Version version : Versions.of(tx, account.pubkey(), line.id())) {
                texts.add(new Messenger.Version(version.at(), version.text()));
            }
            return texts.isEmpty() ? List.of(new Messenger.Version(line.sentAt(), line.text())) : texts;
        });
    }

    /** One phrase per recipient; for most messages that is one. */
    static String summary(List<Ledger.Entry> entries) {
        Set<String> phrases = new LinkedHashSet<>();
        for (Ledger.Entry entry : entries) {
            String phrase = switch (entry.state()) {
                case COMPOSED -> "composed";
                case AWAITING_SIGNER -> "awaiting signer";
                case QUEUED -> "queued";
                case AT_RELAYS -> "at relays " + entry.relaysHave() + "/" + entry.relaysAll();
                case DELIVERED -> "delivered";
                case READ -> "read";
                case FAILED -> "failed";
            };
            phrases.add(entry.reason().isEmpty() ? phrase : phrase + " (" + entry.reason() + ")");
        }
        return String.join(", ", phrases);
    }
}
