package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.outbox.Outbox.Conversation;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A room is its members and nothing else (NIP-17): the author and everybody in a p tag.
 *
 * @param members the account itself included
 */
record Room(PublicKey self, SortedSet<PublicKey> members) {
    static Room with(PublicKey self, Collection<PublicKey> others) {
        SortedSet<PublicKey> members = new TreeSet<>(List.of(self));
        members.addAll(others);
        return new Room(self, members);
    }

    /** The receiver counts as a member even where the author named nobody, as some clients do. */
    static Room of(PublicKey self, Rumor rumor) {
        SortedSet<PublicKey> members = new TreeSet<>(List.of(self));
        members.add(rumor.pubkey());
        for (String member : rumor.tagValues("p")) {
            try {
                members.add(PublicKey.ofHex(member));
            } catch (IllegalArgumentException e) {
                // What is no key is nobody.
                continue;
            }
        }
        return new Room(self, members);
    }

    /** Whom a line of a list names: the author, or for an own message the first other member. */
    PublicKey peer(PublicKey author) {
        if (!author.equals(self)) {
            return author;
        }
        for (PublicKey member : members) {
            if (!member.equals(self)) {
                return member;
            }
        }
        return self;
    }

    /** All but the account itself, as a line keeps them: nobody for a room of two. */
    List<PublicKey> others() {
        List<PublicKey> others =
                members.stream().filter(member -> !member.equals(self)).toList();
        return others.size() > 1 ? others : List.of();
    }

    /** All but the account itself; of a note to oneself the account. */
    List<PublicKey> all() {
        List<PublicKey> others =
                members.stream().filter(member -> !member.equals(self)).toList();
        return others.isEmpty() ? List.of(self) : others;
    }

    Conversation conversation() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update("parley-room-v1".getBytes(StandardCharsets.US_ASCII));
            for (PublicKey member : members) {
                digest.update(member.bytes());
            }
            return new Conversation(self.hex() + ":" + HexFormat.of().formatHex(digest.digest(), 0, 16), self);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
