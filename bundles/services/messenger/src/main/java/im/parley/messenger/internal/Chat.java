package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.util.ArrayList;
import java.util.List;

/**
 * A conversation as people list it, as kept.
 *
 * @param number order of its beginning
 * @param id see {@link Room#conversation}
 * @param members all but the account itself; of a note to oneself the account
 * @param accepted false for a request
 * @param last position of its newest message; 0 if there is none
 * @param readTo position up to which nothing is new
 * @param unread messages of others behind that
 * @param mentioned whether one of these names the account
 * @param mutedUntil epoch seconds; 0 if it is not
 * @param draft empty for none
 */
record Chat(
        long number,
        String id,
        List<PublicKey> members,
        boolean accepted,
        long last,
        long readTo,
        int unread,
        boolean mentioned,
        boolean pinned,
        long mutedUntil,
        String draft) {
    private static final int VERSION = 1;

    Chat {
        members = List.copyOf(members);
    }

    static Chat begun(long number, String id, List<PublicKey> members) {
        return new Chat(number, id, members, false, 0, 0, 0, false, false, 0, "");
    }

    Chat numbered(long as) {
        return new Chat(as, id, members, accepted, last, readTo, unread, mentioned, pinned, mutedUntil, draft);
    }

    /** With a message from long ago, which was read and whose author needed not ask. */
    Chat withOld(long position) {
        return new Chat(
                number,
                id,
                members,
                true,
                Math.max(last, position),
                Math.max(readTo, position),
                unread,
                mentioned,
                pinned,
                mutedUntil,
                draft);
    }

    Chat accept() {
        return accepted
                ? this
                : new Chat(number, id, members, true, last, readTo, unread, mentioned, pinned, mutedUntil, draft);
    }

    /** With its newest message there, and so many new ones of others. */
    Chat at(long newest, int nowUnread, boolean nowMentioned) {
        return new Chat(
                number, id, members, accepted, newest, readTo, nowUnread, nowMentioned, pinned, mutedUntil, draft);
    }

    Chat read() {
        return new Chat(number, id, members, accepted, last, last, 0, false, pinned, mutedUntil, draft);
    }

    Chat pinned(boolean now) {
        return new Chat(number, id, members, accepted, last, readTo, unread, mentioned, now, mutedUntil, draft);
    }

    Chat muted(long until) {
        return new Chat(number, id, members, accepted, last, readTo, unread, mentioned, pinned, until, draft);
    }

    Chat draft(String text) {
        return new Chat(number, id, members, accepted, last, readTo, unread, mentioned, pinned, mutedUntil, text);
    }

    byte[] write() throws ProviderException {
        return new RecordOutput(VERSION)
                .text(id)
                .texts(members.stream().map(PublicKey::hex).toList())
                .flag(accepted)
                .number(last)
                .number(readTo)
                .number(unread)
                .flag(mentioned)
                .flag(pinned)
                .number(mutedUntil)
                .text(draft)
                .done();
    }

    static Chat read(long number, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        String id = in.text();
        List<PublicKey> members = new ArrayList<>();
        for (String member : in.texts()) {
            members.add(PublicKey.ofHex(member));
        }
        return new Chat(
                number,
                id,
                members,
                in.flag(),
                in.number(),
                in.number(),
                in.count(),
                in.flag(),
                in.flag(),
                in.number(),
                in.text());
    }
}
