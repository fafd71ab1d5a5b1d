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

    private final Session session;
    private final String id;
    private final List<Filter> filters;

    private volatile boolean active = true;
    private boolean storedDone;
    private final ArrayDeque<Event> waiting = new ArrayDeque<>();
    private long waitingChars;
    /** Ids sent as stored events; null once no older commit can still come by as new. */
    private @Nullable Set<EventId> sent = new HashSet<>();

    Subscription(Session session, String id, List<Filter> filters) {
        this.session = session;
        this.id = id;
        this.filters = filters;
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

    boolean active() {
        return active;
    }

    /** After this returns nothing more goes out under this subscription. */
    synchronized void cancel() {
        active = false;
        waiting.clear();
        sent = null;
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
    synchronized Delivery deliverNew(Event event, String json) {
        if (!active || sent != null && sent.contains(event.id())) {
            return Delivery.NOT_WANTED;
        }
        if (storedDone) {
            session.say(Frames.deliverRaw(id, json));
            return Delivery.TAKEN;
        }
        waitingChars += json.length();
        if (waiting.size() >= MAX_WAITING || waitingChars > MAX_WAITING_CHARS) {
            return Delivery.TOO_MUCH;
        }
        waiting.add(event);
        return Delivery.TAKEN;
    }

    /** Sends a stored event. */
    synchronized void deliverStored(Event event, String json) {
        if (active && sent != null && sent.add(event.id())) {
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
        for (Event event : waiting) {
            if (sent == null || !sent.contains(event.id())) {
                session.say(Frames.deliver(id, event));
            }
        }
        waiting.clear();
    }

    /** Every event that a stored answer could have held has passed as new by now. */
    synchronized void settled() {
        sent = null;
    }
}
