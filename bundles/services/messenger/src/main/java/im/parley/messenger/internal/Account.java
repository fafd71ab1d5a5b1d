package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/**
 * An own identity as it is kept; its key is the identity provider's.
 *
 * @param number order of creation
 * @param createdAt epoch milliseconds
 * @param device names this node in the rumors of this account
 */
record Account(long number, String name, PublicKey pubkey, List<Inbox> inboxes, long createdAt, String device) {
    /** Of accounts with an offered relay; others are written as the first version reads them. */
    private static final int VERSION = 2;

    /**
     * An inbox relay: this node's own, taken by default; one that the user gave, which may be private; or one that somebody
     * else offered and the user took, which may not.
     *
     * @param named the user gave this address
     * @param own this node's own relay, wherever it listens
     */
    record Inbox(URI relay, boolean named, boolean own) {
        static Inbox own(URI relay) {
            return new Inbox(relay, false, true);
        }

        static Inbox named(URI relay) {
            return new Inbox(relay, true, false);
        }

        static Inbox offered(URI relay) {
            return new Inbox(relay, false, false);
        }
    }

    Account {
        inboxes = List.copyOf(inboxes);
    }

    List<URI> relays() {
        return inboxes.stream().map(Inbox::relay).toList();
    }

    Account with(List<Inbox> changed) {
        return new Account(number, name, pubkey, changed, createdAt, device);
    }

    byte[] write() throws ProviderException {
        boolean offered = inboxes.stream().anyMatch(inbox -> !inbox.named() && !inbox.own());
        RecordOutput out = new RecordOutput(offered ? VERSION : 1)
                .text(name)
                .bytes(pubkey.bytes())
                .number(inboxes.size());
        for (Inbox inbox : inboxes) {
            out.text(inbox.relay().toString()).flag(inbox.named());
            if (offered) {
                out.flag(inbox.own());
            }
        }
        return out.number(createdAt).text(device).done();
    }

    static Account read(long number, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        String name = in.text();
        PublicKey pubkey = PublicKey.of(in.bytes());
        List<Inbox> inboxes = new ArrayList<>();
        int count = in.count();
        for (int i = 0; i < count; i++) {
            URI relay = URI.create(in.text());
            boolean named = in.flag();
            inboxes.add(new Inbox(relay, named, in.version() == 1 ? !named : in.flag()));
        }
        return new Account(number, name, pubkey, inboxes, in.number(), in.text());
    }
}
