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
    private static final int VERSION = 1;

    /**
     * @param named the user gave this address; false for this node's own relay, taken by default
     */
    record Inbox(URI relay, boolean named) {}

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
        RecordOutput out =
                new RecordOutput(VERSION).text(name).bytes(pubkey.bytes()).number(inboxes.size());
        for (Inbox inbox : inboxes) {
            out.text(inbox.relay().toString()).flag(inbox.named());
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
            inboxes.add(new Inbox(URI.create(in.text()), in.flag()));
        }
        return new Account(number, name, pubkey, inboxes, in.number(), in.text());
    }
}
