package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
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
            Set<PublicKey> others = others(tx, account, to);
            return new Draft(Room.with(account.pubkey(), others), List.copyOf(others), Kinds.TEXT, List.of(), text, "");
        });
    }

    long timer(@Nullable String wanted, List<String> with, @Nullable Duration after) throws ProviderException {
        if (after != null
                && !after.isZero()
                && (after.compareTo(Messenger.LEAST_TIMER) < 0 || after.compareTo(Messenger.MOST_TIMER) > 0)) {
            throw Rejected.of("timer.out-of-range", "Messages can vanish after 5 seconds to 365 days, or never.");
        }
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            String conversation = Room.with(account.pubkey(), others(tx, account, with))
                    .conversation()
                    .id();
            if (after != null) {
                Book.putTimer(tx, conversation, after.toSeconds());
            }
            return Book.timer(tx, conversation);
        });
    }

    private Set<PublicKey> others(Tx tx, Account account, List<String> names) throws ProviderException {
        Set<PublicKey> others = new LinkedHashSet<>();
        for (String each : names) {
            others.add(Contacts.recipient(tx, account, each));
        }
        if (others.size() > 1) {
            others.remove(account.pubkey());
        }
        if (others.isEmpty() || others.size() > Messenger.MAX_OTHERS) {
            throw Rejected.of(
                    "room.too-many", "A room has 1 to " + Messenger.MAX_OTHERS + " others. Name fewer people.");
        }
        return others;
    }

    Message reply(@Nullable String wanted, String id, String text) throws ProviderException {
        check(text);
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, true);
            return draft(account, line, Kinds.TEXT, List.of(List.of("e", line.id(), "", "reply")), text);
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
            return draft(
                    account,
                    line,
                    Kinds.DELETION,
                    List.of(List.of("e", line.id()), List.of("k", Integer.toString(line.kind()))),
                    "");
        });
    }

    /**
     * What is about to be written.
     *
     * @param to everybody it goes to
     * @param about id of the message it speaks of; empty if none
     */
    private record Draft(
            Room room, List<PublicKey> to, int kind, List<List<String>> tags, String content, String about) {}

    @FunctionalInterface
    private interface Drafting {
        Draft draft(Tx tx, Account account) throws ProviderException;
    }

    private static Draft draft(Account account, Line line, int kind, List<List<String>> tags, String content) {
        return new Draft(Room.with(account.pubkey(), line.members()), line.members(), kind, tags, content, line.id());
    }

    /**
     * The message of that id, or of one that begins so, among the newest.
     *
     * @param toBeRead whether it has to be one that people see by itself
     */
    private static Line about(Tx tx, Account account, String wanted, boolean toBeRead) throws ProviderException {
        String id = wanted.strip().toLowerCase(Locale.ROOT);
        Line found = id.length() == ID_LENGTH ? Book.line(tx, account.pubkey(), id) : null;
        if (found == null && id.length() >= LEAST_OF_ID && id.length() < ID_LENGTH) {
            for (Line line : Book.newest(tx, account.pubkey(), NEWEST)) {
                if (line.id().startsWith(id) && line.kind() != Kinds.DELETION) {
                    if (found != null) {
                        throw Rejected.of("message.ambiguous", "Several messages have an id that begins so.");
                    }
                    found = line;
                }
            }
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
            PublicKey self = account.pubkey();
            Draft draft = drafting.draft(tx, account);
            Conversation conversation = draft.room().conversation();
            ParleyTag tag = new ParleyTag(
                    account.device(),
                    Book.nextSending(tx, conversation.id()),
                    HybridClock.tick(tx, moment.epochMillis()));
            List<List<String>> tags = new ArrayList<>(draft.tags());
            tags.add(tag.tag());
            long timer = draft.kind() == Kinds.DELETION ? 0 : Book.timer(tx, conversation.id());
            long expires = timer == 0 ? 0 : moment.epochSeconds() + timer;
            if (expires > 0) {
                tags.add(List.of("expiration", Long.toString(expires)));
            }
            Stepped stepped = services.outbox()
                    .step(
                            tx,
                            scope,
                            conversation,
                            new Input.Send(
                                    moment,
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
                    draft.kind(),
                    moment.epochMillis(),
                    draft.content(),
                    stepped.schemeId(),
                    draft.about(),
                    draft.room().others(),
                    false,
                    expires,
                    tag.device(),
                    tag.seq(),
                    tag.clock());
            Book.put(tx, self, line);
            Book.putRumorSeen(tx, self, rumor.id(), position);
            if (draft.kind() == Kinds.REACTION) {
                Book.put(tx, self, draft.about(), new Book.Mark(position, Kinds.REACTION, self, draft.content()));
            } else if (draft.kind() == Kinds.DELETION) {
                Line gone = Book.line(tx, self, draft.about());
                if (gone != null) {
                    Marks.erase(tx, self, gone);
                }
            }
            return reader.message(tx, account, line, Contacts.names(tx, account));
        });
        services.outbox().kick(scope);
        written.run();
        return message;
    }

    private static void check(String text) throws ProviderException {
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
