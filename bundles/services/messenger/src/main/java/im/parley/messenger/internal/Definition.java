package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.DEFINITION;

import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Circles;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/**
 * What a circle is called and begins with; a record of its own space.
 *
 * @param relays inbox relays of identities that are made in it; empty for this node's own
 * @param timerSeconds after which messages vanish where nothing else was said; 0 for never
 * @param createdAt epoch milliseconds
 */
record Definition(
        String name,
        String description,
        List<Account.Inbox> relays,
        List<URI> fileServers,
        long timerSeconds,
        long createdAt) {
    /** Of a circle that nobody has named: the default one, until it is renamed. */
    static final Definition UNNAMED = new Definition(Circles.DEFAULT_NAME, "", List.of(), List.of(), 0, 0);

    private static final RecordKey KEY = RecordKey.of(DEFINITION, "");
    private static final int VERSION = 1;

    Definition {
        relays = List.copyOf(relays);
        fileServers = List.copyOf(fileServers);
    }

    Definition renamed(String next) {
        return new Definition(next, description, relays, fileServers, timerSeconds, createdAt);
    }

    static Definition of(Tx tx) throws ProviderException {
        byte[] value = tx.get(KEY);
        if (value == null) {
            return UNNAMED;
        }
        RecordInput in = new RecordInput(value, VERSION);
        String name = in.text();
        String description = in.text();
        List<Account.Inbox> relays = new ArrayList<>();
        int count = in.count();
        for (int i = 0; i < count; i++) {
            URI relay = URI.create(in.text());
            relays.add(in.flag() ? Account.Inbox.named(relay) : Account.Inbox.offered(relay));
        }
        List<URI> fileServers = in.texts().stream().map(URI::create).toList();
        return new Definition(name, description, relays, fileServers, in.number(), in.number());
    }

    void put(Tx tx) throws ProviderException {
        RecordOutput out =
                new RecordOutput(VERSION).text(name).text(description).number(relays.size());
        for (Account.Inbox inbox : relays) {
            out.text(inbox.relay().toString()).flag(inbox.named());
        }
        tx.put(
                KEY,
                out.texts(fileServers.stream().map(URI::toString).toList())
                        .number(timerSeconds)
                        .number(createdAt)
                        .done());
    }
}
