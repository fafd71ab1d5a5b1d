package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.files.FileDescription;
import im.parley.messenger.Messenger;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.Outbox.Stepped;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Kinds;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the user writes: each is one transaction of message, ledger and effects. Thread-safe; blocks on disk. */
final class Writer {
    /** A larger rumor would make a seal that some peers cannot read: 65,535 bytes, after padding and base64. */
    private static final int MAX_RUMOR_BYTES = 40_960;

    private static final int ID_LENGTH = 64;
    private static final int LEAST_OF_ID = 4;
    /** Messages among which one is found by the beginning of its id. */
    private static final int NEWEST = 1_000;

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Reader reader;
    /** Told after something was written. */
    private final Runnable written;

    Writer(Scope scope, SealedSpace space, Services services, Reader reader, Runnable written) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.reader = reader;
        this.written = written;
    }

    Message send(@Nullable String wanted, List<String> to, String text) throws ProviderException {
        check(text);
        return compose(wanted, (tx, account) -> {
            List<PublicKey> others = List.copyOf(Contacts.others(tx, account, to));
            Room room = Room.with(account.pubkey(), others);
            return new Draft(room, others, Kinds.TEXT, List.of(), addressed(tx, account, others, text), "", null);
        });
    }

    /** With the addresses of those members whom it names. */
    private static String addressed(Tx tx, Account account, List<PublicKey> members, String text)
            throws ProviderException {
        if (text.indexOf('@') < 0) {
            return text;
        }
        Map<PublicKey, String> names = Contacts.names(tx, account);
        Map<String, PublicKey> byName = new HashMap<>();
        for (PublicKey member : members) {
            String name = names.get(member);
            if (name != null) {
                byName.put(name, member);
            }
        }
        String addressed = Mentions.addressed(text, byName);
        check(addressed);
        return addressed;
    }

    /** @param within what else is written with it */
    void file(PublicKey account, List<PublicKey> to, FileDescription file, SealedSpace.Update within)
            throws ProviderException {
        Moment moment = services.outbox().moment();
        space.update(tx -> {
            within.run(tx);
            for (Account own : Book.accounts(tx)) {
                if (own.pubkey().equals(account)) {
                    Room room = Room.with(account, to);
                    write(tx, own, new Draft(room, to, Kinds.FILE, file.tags(), file.content(), "", null), moment);
                }
            }
        });
        services.outbox().kick(scope);
        written.run();
    }

    long timer(@Nullable String wanted, List<String> with, @Nullable Duration after) throws ProviderException {
        if (after != null
                && !after.isZero()
                && (after.compareTo(Messenger.LEAST_TIMER) < 0 || after.compareTo(Messenger.MOST_TIMER) > 0)) {
            throw Rejected.of("timer.out-of-range", "Messages can vanish after 5 seconds to 365 days, or never.");
        }
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            String conversation = Room.with(account.pubkey(), Contacts.others(tx, account, with))
                    .conversation()
                    .id();
            if (after != null) {
                Book.putTimer(tx, conversation, after.toSeconds());
            }
            return Book.timer(tx, conversation);
        });
    }

    Message reply(@Nullable String wanted, String id, String text) throws ProviderException {
        check(text);
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, true);
            return draft(
                    account,
                    line,
                    Kinds.TEXT,
                    List.of(List.of("e", line.id(), "", "reply")),
                    addressed(tx, account, line.members(), text));
        });
    }

    Message react(@Nullable String wanted, String id, String reaction) throws ProviderException {
        if (!Marks.isReaction(reaction)) {
            throw Rejected.of(
                    "reaction.bad", "A reaction is a picture or a short word of at most 64 bytes, in one line.");
        }
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, true);
            for (Book.Mark mark : Marks.reactions(tx, account.pubkey(), line.id())) {
                if (mark.author().equals(account.pubkey()) && mark.content().equals(reaction)) {
                    throw Rejected.of(
                            "reaction.known", "You reacted in this way already. Delete that to take it back.");
                }
            }
            return draft(
                    account,
                    line,
                    Kinds.REACTION,
                    List.of(List.of("e", line.id()), List.of("k", Integer.toString(line.kind()))),
                    reaction);
        });
    }

    Message delete(@Nullable String wanted, String id) throws ProviderException {
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, false);
            if (!line.author().equals(account.pubkey())) {
                throw Rejected.of("message.not-yours", "Only who wrote it can delete it for everybody.");
            }
            List<List<String>> tags = new ArrayList<>();
            tags.add(List.of("e", line.id()));
            for (Versions.Version version : Versions.of(tx, account.pubkey(), line.id())) {
                if (!version.id().equals(line.id())) {
                    tags.add(List.of("e", version.id()));
                }
            }
            tags.add(List.of("k", Integer.toString(line.kind())));
            return draft(account, line, Kinds.DELETION, tags, "");
        });
    }

    Message edit(@Nullable String wanted, String id, String text) throws ProviderException {
        check(text);
        Moment moment = services.outbox().moment();
        Message message = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            PublicKey self = account.pubkey();
            Line line = about(tx, account, id, true);
            if (!line.author().equals(self) || line.kind() != Kinds.TEXT) {
                throw Rejected.of("message.not-yours", "Only a text of one's own can be changed.");
            }
            String to = addressed(tx, account, line.members(), text);
            if (to.equals(line.text())) {
                throw Rejected.of("edit.same", "That is what it says already.");
            }
            List<Versions.Version> before = Versions.of(tx, self, line.id());
            String shown =
                    before.isEmpty() ? line.id() : before.get(before.size() - 1).id();
            Line written = write(
                    tx,
                    account,
                    new Draft(
                            Room.with(self, line.members()),
                            line.members(),
                            Kinds.TEXT,
                            List.of(List.of(Versions.TAG, line.id())),
                            to,
                            line.id(),
                            line),
                    moment);
            replace(tx, self, line, shown, written.id(), moment);
            Line now = Versions.apply(
                    tx, self, line, new Versions.Version(written.clock(), written.id(), written.sentAt(), to));
            return reader.message(tx, account, now, Contacts.names(tx, account));
        });
        services.outbox().kick(scope);
        written.run();
        return message;
    }

    /** Asks clients that know no edits to take the text away that another one stands for now. */
    private void replace(Tx tx, PublicKey self, Line line, String before, String after, Moment moment)
            throws ProviderException {
        List<List<String>> tags = new ArrayList<>();
        tags.add(List.of("e", before));
        tags.add(List.of("k", Integer.toString(Kinds.TEXT)));
        tags.add(List.of(Versions.TAG, after));
        if (line.expires() > 0) {
            tags.add(List.of("expiration", Long.toString(line.expires())));
        }
        Conversation conversation = Room.with(self, line.members()).conversation();
        Long expires = line.expires() == 0 ? null : line.expires();
        Stepped stepped = services.outbox()
                .signal(
                        tx,
                        scope,
                        conversation,
                        new Input.Send(moment, self, line.members(), Kinds.DELETION, tags, "", expires));
        Book.putRumorSeen(tx, self, rumor(stepped).id(), 0);
    }

    /**
     * What is about to be written.
     *
     * @param to everybody it goes to
     * @param about id of the message it speaks of; empty if none
     * @param edits the message whose text it is now; null for every other
     */
    private record Draft(
            Room room,
            List<PublicKey> to,
            int kind,
            List<List<String>> tags,
            String content,
            String about,
            @Nullable Line edits) {}

    @FunctionalInterface
    private interface Drafting {
        Draft draft(Tx tx, Account account) throws ProviderException;
    }

    private static Draft draft(Account account, Line line, int kind, List<List<String>> tags, String content) {
        return new Draft(
                Room.with(account.pubkey(), line.members()), line.members(), kind, tags, content, line.id(), null);
    }

    /**
     * The message of that id, or of one that begins so, among the newest.
     *
     * @param toBeRead whether it has to be one that people see by itself
     */
    static Line about(Tx tx, Account account, String wanted, boolean toBeRead) throws ProviderException {
        String id = wanted.strip().toLowerCase(Locale.ROOT);
        Line found = id.length() == ID_LENGTH ? Book.line(tx, account.pubkey(), id) : null;
        if (found == null && id.length() >= LEAST_OF_ID && id.length() < ID_LENGTH) {
            for (Line line : Book.newest(tx, account.pubkey(), NEWEST)) {
                if (line.id().startsWith(id) && line.kind() != Kinds.DELETION && line.kind() != Versions.EDIT) {
                    if (found != null) {
                        throw Rejected.of("message.ambiguous", "Several messages have an id that begins so.");
                    }
                    found = line;
                }
            }
        }
        if (found != null && found.kind() == Versions.EDIT) {
            found = Book.line(tx, account.pubkey(), found.about());
        }
        if (found == null || found.deleted() || toBeRead && !found.isRead()) {
            throw Rejected.of(
                    "message.unknown",
                    "There is no message with that id, or it was deleted. An id is looked for by its first "
                            + LEAST_OF_ID + " digits or more among the newest " + NEWEST
                            + ", older ones by all of it.");
        }
        return found;
    }

    private Message compose(@Nullable String wanted, Drafting drafting) throws ProviderException {
        Moment moment = services.outbox().moment();
        Message message = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Line line = write(tx, account, drafting.draft(tx, account), moment);
            return reader.message(tx, account, line, Contacts.names(tx, account));
        });
        services.outbox().kick(scope);
        written.run();
        return message;
    }

    private Line write(Tx tx, Account account, Draft draft, Moment moment) throws ProviderException {
        PublicKey self = account.pubkey();
        Line edits = draft.edits();
        Conversation conversation = draft.room().conversation();
        ParleyTag tag = new ParleyTag(
                account.device(), Book.nextSending(tx, conversation.id()), HybridClock.tick(tx, moment.epochMillis()));
        List<List<String>> tags = new ArrayList<>(draft.tags());
        tags.add(tag.tag());
        long timer = draft.kind() == Kinds.DELETION ? 0 : Book.timer(tx, conversation.id());
        long expires = edits != null ? edits.expires() : timer == 0 ? 0 : moment.epochSeconds() + timer;
        if (expires > 0) {
            tags.add(List.of("expiration", Long.toString(expires)));
        }
        // NIP-17: an edit has the date of what it takes the place of.
        Moment dated = edits == null ? moment : new Moment(edits.sentAt(), moment.seed());
        Stepped stepped = services.outbox()
                .step(
                        tx,
                        scope,
                        conversation,
                        new Input.Send(
                                dated,
                                self,
                                draft.to(),
                                draft.kind(),
                                tags,
                                draft.content(),
                                expires == 0 ? null : expires));
        Rumor rumor = rumor(stepped);
        long position = Book.nextPosition(tx);
        Line line = new Line(
                position,
                position,
                rumor.id().hex(),
                conversation.id(),
                draft.to().get(0),
                self,
                true,
                false,
                edits == null ? draft.kind() : Versions.EDIT,
                moment.epochMillis(),
                edits == null ? draft.content() : "",
                stepped.schemeId(),
                draft.about(),
                draft.room().others(),
                false,
                expires,
                0,
                0,
                tag.device(),
                tag.seq(),
                tag.clock());
        Book.put(tx, self, line);
        Book.putRumorSeen(tx, self, rumor.id(), position);
        if (line.kind() == Kinds.FILE) {
            FileMessages.describe(tx, self, line, rumor.tags());
        }
        if (line.isRead()) {
            Chats.arrived(tx, self, line, draft.room(), true);
        } else if (line.kind() == Versions.EDIT || line.kind() == Kinds.REACTION) {
            Book.put(tx, self, draft.about(), new Book.Mark(position, line.kind(), self, line.text()));
        } else if (line.kind() == Kinds.DELETION) {
            Line gone = Book.line(tx, self, draft.about());
            if (gone != null) {
                Erasing erasing = new Erasing();
                Marks.erase(tx, self, gone, erasing);
                erasing.finish(tx);
            }
        }
        return line;
    }

    static void check(String text) throws ProviderException {
        if (text.isEmpty()) {
            throw Rejected.of("message.empty", "There is nothing to send.");
        }
        // Longest first: nothing is encoded that is too long anyway.
        if (text.length() > Messenger.MAX_TEXT_BYTES) {
            throw tooLong();
        }
        if (text.indexOf(0) >= 0) {
            throw Rejected.of("message.bad-text", "The text holds a NUL character, which messages cannot have.");
        }
        try {
            int bytes = StandardCharsets.UTF_8
                    .newEncoder()
                    .encode(CharBuffer.wrap(text))
                    .remaining();
            if (bytes > Messenger.MAX_TEXT_BYTES) {
                throw tooLong();
            }
        } catch (CharacterCodingException e) {
            throw Rejected.of("message.bad-text", "The text holds half a character and cannot be sent.");
        }
    }

    private static Rumor rumor(Stepped stepped) throws ProviderException {
        for (Effect effect : stepped.effects()) {
            if (effect instanceof Effect.SendWrapped wrapped) {
                Rumor rumor = wrapped.rumor();
                // Line breaks and quotes take two bytes each on the way.
                if (EventWriter.write(rumor).getBytes(StandardCharsets.UTF_8).length > MAX_RUMOR_BYTES) {
                    throw tooLong();
                }
                return rumor;
            }
        }
        throw new ProviderException(
                Kind.UNSUPPORTED, "scheme.unsupported", "The encryption scheme made no message of this text.");
    }

    private static ProviderException tooLong() {
        return Rejected.of("message.too-long", "A message has at most 32 KiB. Send it in parts, or as a file.");
    }
}
