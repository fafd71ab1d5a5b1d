package im.parley.outbox.internal;

import static im.parley.outbox.CircleRecords.COUNTERS;
import static im.parley.outbox.CircleRecords.LEDGER;
import static im.parley.outbox.CircleRecords.LEDGER_BY_ID;
import static im.parley.outbox.CircleRecords.TOTALS;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.Ledger.Totals;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The ledger's records. Every change of a line changes the totals in the same transaction, from what the transaction
 * itself reads, so the sums are exact however often it runs and wherever it is cut off.
 */
final class LedgerBook {
    private static final int VERSION = 1;
    private static final RecordKey SEQUENCE = RecordKey.of(COUNTERS, "outbox");
    private static final RecordKey SUMS = RecordKey.of(TOTALS, "");

    private LedgerBook() {}

    /**
     * One recipient of one message.
     *
     * @param seq also the place in the queue while there is something to do
     * @param copy the author's copy to herself, which counts in no total
     * @param since epoch milliseconds at which it was composed
     */
    record Line(
            long seq,
            String messageId,
            PublicKey recipient,
            boolean copy,
            State state,
            int relaysHave,
            int relaysAll,
            String reason,
            long since) {}

    /** The next place in queue and ledger; grows with the order of commits. */
    static long next(Tx tx) throws ProviderException {
        byte @Nullable [] last = tx.get(SEQUENCE);
        long seq = (last == null ? 0 : new RecordInput(last, 1).number()) + 1;
        tx.put(SEQUENCE, new RecordOutput(1).number(seq).done());
        return seq;
    }

    /** Opens a line. */
    static void open(Tx tx, Line line) throws ProviderException {
        tx.put(RecordKey.of(LEDGER, "", line.seq()), write(line));
        tx.put(RecordKey.of(LEDGER_BY_ID, line.messageId(), line.seq()), new byte[0]);
        if (!line.copy()) {
            Totals totals = totals(tx);
            Map<State, Long> counts = new EnumMap<>(totals.byState());
            counts.merge(line.state(), 1L, Long::sum);
            put(tx, new Totals(totals.sent() + 1, counts));
        }
    }

    /**
     * Moves a line on. What a recipient's device has said outranks what a relay says.
     *
     * @return whether something changed
     */
    static boolean move(Tx tx, long seq, State state, int relaysHave, int relaysAll, String reason)
            throws ProviderException {
        byte @Nullable [] value = tx.get(RecordKey.of(LEDGER, "", seq));
        if (value == null) {
            throw new ProviderException(
                    Kind.CORRUPT, "ledger.missing", "A queued message has no line in the ledger; it is left as it is.");
        }
        Line old = read(seq, value);
        boolean farther = old.state() == State.DELIVERED || old.state() == State.READ;
        State to = farther ? old.state() : state;
        Line line = new Line(
                seq,
                old.messageId(),
                old.recipient(),
                old.copy(),
                to,
                relaysHave,
                relaysAll,
                farther ? "" : reason,
                old.since());
        if (line.equals(old)) {
            return false;
        }
        tx.put(RecordKey.of(LEDGER, "", seq), write(line));
        if (!old.copy() && old.state() != to) {
            count(tx, old.state(), to);
        }
        return true;
    }

    /**
     * What a recipient herself said of a message.
     *
     * @return whether she has a line
     */
    static boolean confirm(Tx tx, String messageId, PublicKey recipient, State state) throws ProviderException {
        for (Line line : lines(tx, messageId)) {
            if (!line.copy() && line.recipient().equals(recipient)) {
                if (line.state() != State.READ && line.state() != state) {
                    Line now = new Line(
                            line.seq(),
                            line.messageId(),
                            line.recipient(),
                            false,
                            state,
                            line.relaysHave(),
                            line.relaysAll(),
                            "",
                            line.since());
                    tx.put(RecordKey.of(LEDGER, "", line.seq()), write(now));
                    count(tx, line.state(), state);
                }
                return true;
            }
        }
        return false;
    }

    private static void count(Tx tx, State from, State to) throws ProviderException {
        Totals totals = totals(tx);
        Map<State, Long> counts = new EnumMap<>(totals.byState());
        counts.merge(from, -1L, Long::sum);
        counts.merge(to, 1L, Long::sum);
        put(tx, new Totals(totals.sent(), counts));
    }

    static Totals totals(Tx tx) throws ProviderException {
        Map<State, Long> counts = new EnumMap<>(State.class);
        for (State state : State.values()) {
            counts.put(state, 0L);
        }
        byte @Nullable [] value = tx.get(SUMS);
        if (value == null) {
            return new Totals(0, counts);
        }
        RecordInput in = new RecordInput(value, VERSION);
        long sent = in.number();
        for (State state : State.values()) {
            counts.put(state, in.number());
        }
        return new Totals(sent, counts);
    }

    /** Lines of one message, in the order of its recipients. */
    static List<Line> lines(Tx tx, String messageId) throws ProviderException {
        List<Line> lines = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(LEDGER_BY_ID, messageId), false, 1_000)) {
            long seq = seq(item);
            byte @Nullable [] value = tx.get(RecordKey.of(LEDGER, "", seq));
            if (value != null) {
                lines.add(read(seq, value));
            }
        }
        return lines;
    }

    /** The newest lines, newest first, copies left out. */
    static List<Line> newest(Tx tx, int limit) throws ProviderException {
        List<Line> lines = new ArrayList<>();
        long before = Long.MAX_VALUE;
        while (lines.size() < limit) {
            int page = Math.max(64, limit - lines.size());
            List<Item> items =
                    tx.scan(new RecordKey.Range(LEDGER, "", new byte[0], RecordKey.order(before)), true, page);
            for (Item item : items) {
                before = seq(item);
                Line line = read(before, item.value());
                if (!line.copy() && lines.size() < limit) {
                    lines.add(line);
                }
            }
            if (items.size() < page) {
                break;
            }
        }
        return lines;
    }

    static long seq(Item item) {
        return ByteBuffer.wrap(item.order()).getLong();
    }

    private static void put(Tx tx, Totals totals) throws ProviderException {
        RecordOutput out = new RecordOutput(VERSION).number(totals.sent());
        for (State state : State.values()) {
            Long count = totals.byState().get(state);
            out.number(count == null ? 0 : count);
        }
        tx.put(SUMS, out.done());
    }

    private static byte[] write(Line line) throws ProviderException {
        return new RecordOutput(VERSION)
                .text(line.messageId())
                .bytes(line.recipient().bytes())
                .flag(line.copy())
                .text(line.state().name())
                .number(line.relaysHave())
                .number(line.relaysAll())
                .text(line.reason())
                .number(line.since())
                .done();
    }

    private static Line read(long seq, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        return new Line(
                seq,
                in.text(),
                PublicKey.of(in.bytes()),
                in.flag(),
                state(in.text()),
                in.count(),
                in.count(),
                in.text(),
                in.number());
    }

    private static State state(String name) throws ProviderException {
        for (State state : State.values()) {
            if (state.name().equals(name)) {
                return state;
            }
        }
        throw new ProviderException(Kind.UNSUPPORTED, "store.too-new", "A ledger line has a state of a newer version.");
    }
}
