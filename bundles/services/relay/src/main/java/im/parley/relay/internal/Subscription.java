package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Frames;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One REQ of one connection. First its stored events go out, then EOSE, then what is new. New events that arrive meanwhile
 * wait; an event that is both stored and new goes out once.
 */
final class Subscription {
    private static final int MAX_WAITING = 1_000;
    private static final long MAX_WAITING_CHARS = 2 << 20;

    /** What became of a new event. */
    enum Delivery {
        TAKEN,
        NOT_WANTED,
        TOO_MUCH
    }

    /** A new event that waits for EOSE. */
    private record Waiting(EventId id, SharedText json) {}

    private final Session session;
    private final String id;
    private final List<Filter> filters;
    private final long bytes;
    /** A delivery up to the event. */
    private final String head;

    private volatile boolean active = true;
    private boolean storedDone;
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private volatile long waitingChars;
    /**
     * Ids sent as stored events, counted by the session; null once no older commit can still come by as new. None can be left
     * out: its event would go out twice. A client that lets too many be kept is cut off, like any that holds too much.
     */
    private @Nullable Set<EventId> sent = new HashSet<>();

    Subscription(Session session, String id, List<Filter> filters) {
        this.session = session;
        this.id = id;
        this.filters = filters;
        bytes = Weight.of(id) + Weight.of(filters);
        String empty = Frames.deliverRaw(id, "");
        head = empty.substring(0, empty.length() - 1);
    }

    Session session() {
        return session;
    }

    String id() {
        return id;
    }

    List<Filter> filters() {
        return filters;
    }

    /** What the filters cost as long as it is open. */
    long bytes() {
        return bytes;
    }

    /** What waits for EOSE, in bytes of heap; shared texts in full. */
    long waitingBytes() {
        return 2 * waitingChars;
    }

    boolean active() {
        return active;
    }

    /** After this returns nothing more goes out under this subscription. */
    synchronized void cancel() {
        active = false;
        letGo();
        forgetSent();
    }

    private void forgetSent() {
        if (sent != null) {
            session.keep(-Weight.ID * sent.size());
            sent = null;
        }
    }

    private void letGo() {
        if (!session.isLocal()) {
            waiting.forEach(event -> event.json().letGo());
        }
        waiting.clear();
        waitingChars = 0;
    }

    /** Cancels and says so, as the last word about this subscription. */
    synchronized void close(String reason) {
        if (active) {
            cancel();
            session.say(Frames.closed(id, reason));
        }
    }

    /** Whether a new event belongs here; the read guard is asked with the keys proven at this moment. */
    boolean wants(Event event) {
        return active
                && filters.stream().anyMatch(filter -> FilterMatch.matches(filter, event))
                && ReadGuard.mayRead(event, session.keys());
    }

    /** @param json the event, written once for all subscriptions */
    synchronized Delivery deliverNew(Event event, SharedText json) {
        if (!active || sent != null && sent.contains(event.id())) {
            return Delivery.NOT_WANTED;
        }
        if (storedDone) {
            session.say(head, json);
            return Delivery.TAKEN;
        }
        if (waiting.size() >= MAX_WAITING || waitingChars + json.length() > MAX_WAITING_CHARS) {
            return Delivery.TOO_MUCH;
        }
        if (!session.isLocal()) {
            json.hold();
        }
        waitingChars += json.length();
        waiting.add(new Waiting(event.id(), json));
        return Delivery.TAKEN;
    }

    /** Sends a stored event. */
    synchronized void deliverStored(Event event, String json) {
        if (active && sent != null && sent.add(event.id())) {
            session.keep(Weight.ID);
            session.say(Frames.deliverRaw(id, json));
        }
    }

    /** Sends EOSE and what has waited for it. */
    synchronized void storedDone() {
        if (!active) {
            return;
        }
        session.say(Frames.eose(id));
        storedDone = true;
        for (Waiting event : waiting) {
            if (sent == null || !sent.contains(event.id())) {
                session.say(head, event.json());
            }
        }
        letGo();
    }

    /** Every event that a stored answer could have held has passed as new by now. */
    synchronized void settled() {
        forgetSent();
    }
}
