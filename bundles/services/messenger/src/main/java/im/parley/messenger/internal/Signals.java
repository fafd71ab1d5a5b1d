package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.RECEIPTS;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.outbox.Ledger;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.protocol.Kinds;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Receipts: rumors of kind 78 with a {@code t} tag {@value #RECEIPT}, a {@code status} tag and one {@code e} tag for each
 * message. They are owed in the transaction that shows or reads a message, and written together a moment later. Only authors
 * whose messages say that their client knows them get any, and never strangers. Thread-safe; blocks on disk.
 */
final class Signals {
    static final String RECEIPT = "parley.receipt";
    static final String TYPING = "parley.typing";

    private static final String DELIVERED = "delivered";
    private static final String READ = "read";

    /** Messages that one receipt is for. */
    private static final int MOST = 100;

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;

    Signals(Scope scope, SealedSpace space, Services services) {
        this.scope = scope;
        this.space = space;
        this.services = services;
    }

    /** What a signal is about; empty if it is none. */
    static String type(Rumor rumor) {
        List<String> types = rumor.tagValues("t");
        return rumor.kind() == Kinds.SIGNAL && !types.isEmpty() ? types.get(0) : "";
    }

    // ---- owed ----

    /**
     * Owes the author of a message a receipt, if she is to get one.
     *
     * @return whether there is something to send
     */
    static boolean owe(Tx tx, PublicKey account, Line line, boolean read) throws ProviderException {
        if (line.outgoing() || line.device().isEmpty() || line.deleted()) {
            return false;
        }
        Chat chat = ChatBook.chat(tx, account, line.conversation());
        if (chat == null
                || !chat.accepted()
                || !ChatBook.settings(tx, account).receipts()
                || ChatBook.isBlocked(tx, account, line.author())) {
            return false;
        }
        tx.put(
                RecordKey.of(RECEIPTS, account.hex(), line.position()),
                new RecordOutput(1)
                        .bytes(line.author().bytes())
                        .text(line.conversation())
                        .text(line.id())
                        .flag(read)
                        .done());
        return true;
    }

    /** Nobody is told of a message that is gone. */
    static void forget(Tx tx, PublicKey account, Line line) throws ProviderException {
        tx.delete(RecordKey.of(RECEIPTS, account.hex(), line.position()));
    }

    private record To(PublicKey author, String conversation, boolean read) {}

    /** Writes what is owed; what the network does of it is the outbox's. */
    void send(PublicKey account) throws ProviderException {
        boolean more = true;
        boolean any = false;
        while (more) {
            Moment moment = services.outbox().moment();
            int written = space.transact(tx -> send(tx, account, moment));
            any |= written > 0;
            more = written == MOST;
        }
        if (any) {
            services.outbox().kick(scope);
        }
    }

    private int send(Tx tx, PublicKey account, Moment moment) throws ProviderException {
        List<Item> owed = tx.scan(RecordKey.all(RECEIPTS, account.hex()), false, MOST);
        Map<To, List<List<String>>> tags = new LinkedHashMap<>();
        for (Item item : owed) {
            RecordInput in = new RecordInput(item.value(), 1);
            PublicKey author = PublicKey.of(in.bytes());
            String conversation = in.text();
            String id = in.text();
            boolean read = in.flag();
            tags.computeIfAbsent(
                            new To(author, conversation, read),
                            to -> new ArrayList<>(
                                    List.of(List.of("t", RECEIPT), List.of("status", to.read() ? READ : DELIVERED))))
                    .add(List.of("e", id));
            tx.delete(RecordKey.of(
                    RECEIPTS, account.hex(), ByteBuffer.wrap(item.order()).getLong()));
        }
        for (Map.Entry<To, List<List<String>>> entry : tags.entrySet()) {
            To to = entry.getKey();
            services.outbox()
                    .signal(
                            tx,
                            scope,
                            new Conversation(to.conversation(), account),
                            new Input.Send(
                                    moment, account, List.of(to.author()), Kinds.SIGNAL, entry.getValue(), "", null));
        }
        return owed.size();
    }

    // ---- received ----

    /**
     * Takes a receipt in.
     *
     * @return why it says nothing; empty if it does
     */
    String receive(Tx tx, Rumor rumor, PublicKey sender) throws ProviderException {
        if (!type(rumor).equals(RECEIPT)) {
            // Others may follow; nothing is known of them.
            return "";
        }
        boolean read = rumor.tagValues("status").contains(READ);
        int count = 0;
        boolean asked = false;
        for (String id : rumor.tagValues("e")) {
            if (count++ < MOST) {
                asked |= services.outbox().confirm(tx, id, sender, read ? Ledger.State.READ : Ledger.State.DELIVERED);
            }
        }
        return asked ? "" : "group.unrequested";
    }
}
