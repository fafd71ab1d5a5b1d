package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.Kinds;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.RelayClient;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One inbox at one relay. A sync opens the live subscription first and waits until it stands, so that nothing falls
 * between it and the stored wraps; then it pages from the frontier to the end, hands all over, says so, and lets live
 * wraps through, those first that came meanwhile. Any trouble ends the connection and the next one syncs again: the
 * frontier moves only when the owner has everything.
 *
 * <p>Anybody may write to an inbox, so no number of wraps stops it. A sync that is too large to be held is handed over in
 * chunks with the live wraps let through beside it. After a lost connection it goes on where its last chunk ended, but for
 * the last {@value #OVERLAP_SECONDS} seconds: what is dated there may have come since and is asked for again. A page that
 * the connection did not survive is asked for in smaller pages.
 *
 * <p>Two places: the connection's loop, and a lane for the calls to the owner, which may block.
 */
final class InboxSession implements RelayClient.Subscription {
    private static final Logger LOG = LoggerFactory.getLogger(InboxSession.class);

    /** Wraps are back-dated up to 2 days (NIP-59); an hour for clocks that differ. */
    static final long OVERLAP_SECONDS = 2 * 86_400 + 3_600;
    /** A relay may drop live wraps for a slow client; asking again finds them and moves the frontier. */
    static final Duration RESYNC = Duration.ofHours(6);

    static final Duration LIVE_PATIENCE = Duration.ofSeconds(10);
    static final Duration PAGE_PATIENCE = Duration.ofSeconds(30);
    /** Live wraps that came faster than they could be kept are asked for after this; doubled while they keep coming. */
    static final Duration CATCH_UP = Duration.ofSeconds(5);

    private static final int MAX_CATCH_UP_DOUBLINGS = 7;
    /** Events of one page beyond what was asked for: wraps that arrive while it is under way. */
    private static final int TOLERATED = 2 * Paging.PAGE;

    private static final int MAX_STEPS_BACK = 20;
    private static final int MAX_KNOWN = 65_536;

    private enum Phase {
        OFF,
        FRONTIER,
        OPENING_LIVE,
        PAGING,
        HANDING,
        LIVE
    }

    private final RelayConnection connection;
    private final Wiring wiring;
    private final PublicKey identity;
    private final InboxListener listener;
    private final Serial lane;
    private volatile boolean closed;
    /** About how much memory the live wraps take that wait on the lane. */
    private final AtomicLong laneBytes = new AtomicLong();

    /**
     * What an unfinished sync has handed over: all that was there at the second {@code at} and is dated after the second
     * {@code until}.
     */
    private record Reached(long since, long at, long until) {}

    // On the loop.
    private Phase phase = Phase.OFF;
    private long sync;
    private long startedAt;
    private long since;
    private @Nullable Reached reached;
    private final ArrayDeque<Filter> ranges = new ArrayDeque<>();
    private @Nullable Paging paging;
    private @Nullable String liveRequest;
    private @Nullable String pageRequest;
    private boolean pageMoved;
    /** What the next sync asks for in its first page. */
    private int pageSize = Paging.PAGE;
    /** In a row: a page that ends and is followed by another one that was not stepped back ends the row. */
    private int stepsBack;

    private boolean again;
    /** Live wraps are let through although the sync goes on. */
    private boolean beside;
    /** A live wrap was left out; the next sync finds it. */
    private boolean missed;

    private int catchUps;
    private List<Event> early = new ArrayList<>();
    private long earlyBytes;
    private Timers.@Nullable Timer timer;

    // On the lane.
    private long brokenSync = -1;
    private final Map<EventId, Boolean> known = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<EventId, Boolean> eldest) {
            return size() > MAX_KNOWN;
        }
    };

    InboxSession(RelayConnection connection, Wiring wiring, PublicKey identity, InboxListener listener) {
        this.connection = connection;
        this.wiring = wiring;
        this.identity = identity;
        this.listener = listener;
        this.lane = new Serial(wiring.owners(), wiring.drops());
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            connection.post(() -> connection.remove(this));
        }
    }

    /** Syncs from the beginning: the connection is ready, or has authenticated. */
    void start() {
        stop();
        begin();
    }

    /** Forgets what is under way. The requests end with the connection, or are closed here. */
    void stop() {
        Paging pages = paging;
        if (phase == Phase.PAGING && pages != null) {
            pageSize = Math.max(1, pages.pageSize() / 2);
        }
        phase = Phase.OFF;
        sync++;
        RelayConnection.cancel(timer);
        timer = null;
        endPageRequest();
        String live = liveRequest;
        liveRequest = null;
        if (live != null) {
            connection.close(live);
        }
        paging = null;
        early = new ArrayList<>();
        earlyBytes = 0;
    }

    private void begin() {
        long mine = ++sync;
        startedAt = wiring.second();
        phase = Phase.FRONTIER;
        stepsBack = 0;
        again = false;
        beside = false;
        missed = false;
        lane.execute(() -> {
            if (closed) {
                return;
            }
            long frontier;
            try {
                frontier = listener.frontier();
            } catch (Throwable e) {
                ownerFailed(mine, e);
                return;
            }
            onLoop(mine, () -> from(frontier));
        });
    }

    private Filter.Builder wraps() {
        return Filter.builder().kinds(List.of(Kinds.GIFT_WRAP)).tag('p', List.of(identity.hex()));
    }

    private Filter arriving() {
        return wraps().kinds(List.of(Kinds.GIFT_WRAP, Kinds.EPHEMERAL_WRAP))
                .limit(0)
                .build();
    }

    private Filter wraps(long from) {
        return (from > 0 ? wraps().since(from) : wraps()).build();
    }

    private void from(long frontier) {
        since = Math.max(0, frontier - OVERLAP_SECONDS);
        ranges.clear();
        Reached before = reached;
        if (before != null && before.since() == since && before.until() < before.at() - OVERLAP_SECONDS) {
            // What may have come since then, and what the sync before did not get to.
            ranges.add(wraps(before.at() - OVERLAP_SECONDS));
            ranges.add(wraps(since).toBuilder()
                    .until(Math.max(since, before.until()))
                    .build());
        } else {
            reached = null;
            ranges.add(wraps(since));
        }
        paging = new Paging(ranges.remove(), TOLERATED, pageSize);
        if (liveRequest != null) {
            page();
            return;
        }
        phase = Phase.OPENING_LIVE;
        long mine = sync;
        timer = connection.after(LIVE_PATIENCE, () -> {
            if (mine == sync && phase == Phase.OPENING_LIVE) {
                page();
            }
        });
        liveRequest = connection.open(new Request(arriving()) {
            @Override
            void event(Event event) {
                if (event.kind() == Kinds.EPHEMERAL_WRAP) {
                    passing(event);
                } else {
                    live(event);
                }
            }

            @Override
            void endOfStored() {
                if (phase == Phase.OPENING_LIVE) {
                    page();
                }
            }

            @Override
            void closed(String message) {
                liveRequest = null;
                refused(message, authenticated);
            }
        });
    }

    private void page() {
        Paging pages = paging;
        if (pages == null) {
            return;
        }
        phase = Phase.PAGING;
        pageMoved = false;
        watchPage(sync);
        pageRequest = connection.open(new Request(pages.next()) {
            @Override
            void event(Event event) {
                pageMoved = true;
                switch (pages.add(event)) {
                    case YES -> {}
                    case ASK_FOR_LESS -> {
                        endPageRequest();
                        page();
                    }
                    case TOO_MUCH -> connection.misbehaves();
                }
            }

            @Override
            void endOfStored() {
                endPageRequest();
                pageEnded(pages);
            }

            @Override
            void closed(String message) {
                pageRequest = null;
                refused(message, authenticated);
            }
        });
    }

    private void watchPage(long mine) {
        RelayConnection.cancel(timer);
        timer = connection.after(PAGE_PATIENCE, () -> {
            if (mine != sync || phase != Phase.PAGING) {
                return;
            }
            if (pageMoved) {
                pageMoved = false;
                watchPage(mine);
            } else {
                connection.refused(new ProviderException(
                        Kind.TIMEOUT, "relay.silent", "The relay does not say where its stored events end."));
            }
        });
    }

    private void pageEnded(Paging pages) {
        RelayConnection.cancel(timer);
        timer = null;
        boolean more = pages.endPage();
        if (!again) {
            stepsBack = 0;
        }
        again = false;
        Filter next = more ? null : ranges.poll();
        if (next != null) {
            paging = new Paging(next, TOLERATED, pages.pageSize());
            handOver(pages.take(), false);
        } else if (!more) {
            handOver(pages.take(), true);
        } else if (pages.held() >= wiring.bounds().chunkEvents()
                || pages.heldBytes() >= wiring.bounds().chunkBytes()) {
            handOver(pages.take(), false);
        } else {
            page();
        }
    }

    private void handOver(List<Event> stored, boolean last) {
        phase = Phase.HANDING;
        List<Event> events = last ? withEarly(stored) : stored;
        long mine = sync;
        long began = startedAt;
        lane.execute(() -> {
            if (closed || brokenSync == mine) {
                return;
            }
            List<Event> fresh = new ArrayList<>(events.size());
            for (Event event : events) {
                if (!known.containsKey(event.id())) {
                    fresh.add(event);
                }
            }
            try {
                listener.stored(fresh);
                for (Event event : fresh) {
                    known.put(event.id(), true);
                }
                if (last) {
                    listener.synced(began);
                }
            } catch (Throwable e) {
                brokenSync = mine;
                ownerFailed(mine, e);
                return;
            }
            onLoop(mine, last ? this::synced : this::goOn);
        });
    }

    /**
     * Live wraps that came meanwhile go with the last of the stored ones: pages go by the wraps' dates, which say nothing
     * of their order, so a page may have held a message whose predecessor came live.
     */
    private List<Event> withEarly(List<Event> stored) {
        if (early.isEmpty()) {
            return stored;
        }
        Map<EventId, Event> all = new LinkedHashMap<>();
        stored.forEach(event -> all.put(event.id(), event));
        early.forEach(event -> all.putIfAbsent(event.id(), event));
        early = new ArrayList<>();
        earlyBytes = 0;
        List<Event> events = new ArrayList<>(all.values());
        events.sort(Paging.NEWEST_FIRST);
        return events;
    }

    private void goOn() {
        Paging pages = paging;
        if (pages != null && ranges.isEmpty()) {
            pages.reached().ifPresent(until -> reached = new Reached(since, startedAt, until));
        }
        letThrough();
        page();
    }

    private void synced() {
        phase = Phase.LIVE;
        paging = null;
        reached = null;
        pageSize = Paging.PAGE;
        connection.succeeded();
        letThrough();
        catchUps = missed ? Math.min(MAX_CATCH_UP_DOUBLINGS, catchUps + 1) : 0;
        again(missed ? CATCH_UP.multipliedBy(1L << catchUps) : RESYNC);
    }

    private void again(Duration pause) {
        RelayConnection.cancel(timer);
        long mine = sync;
        timer = connection.after(pause, () -> {
            if (mine == sync && phase == Phase.LIVE) {
                begin();
            }
        });
    }

    /** From now on live wraps do not wait for the sync. */
    private void letThrough() {
        beside = true;
        List<Event> waiting = early;
        early = new ArrayList<>();
        earlyBytes = 0;
        for (Event event : waiting) {
            deliver(event);
        }
    }

    private void live(Event event) {
        Paging pages = paging;
        if (pages != null && pages.arrivedLive(event.id())) {
            if (++stepsBack > MAX_STEPS_BACK) {
                connection.misbehaves();
                return;
            }
            pages.stepBack();
            again = true;
            if (phase == Phase.PAGING) {
                endPageRequest();
                page();
            }
        }
        if (beside) {
            deliver(event);
            return;
        }
        early.add(event);
        earlyBytes += Paging.weight(event);
        if (early.size() > wiring.bounds().liveEvents()
                || earlyBytes > wiring.bounds().liveBytes()) {
            letThrough();
        }
    }

    private void deliver(Event event) {
        long weight = Paging.weight(event);
        if (lane.backlog() > wiring.bounds().liveEvents()
                || laneBytes.get() + weight > wiring.bounds().liveBytes()) {
            miss();
            return;
        }
        laneBytes.addAndGet(weight);
        long mine = sync;
        lane.execute(() -> {
            laneBytes.addAndGet(-weight);
            if (closed || known.containsKey(event.id())) {
                return;
            }
            try {
                listener.live(event);
                known.put(event.id(), true);
            } catch (Throwable e) {
                ownerFailed(mine, e);
            }
        });
    }

    /** What no relay keeps is worth nothing later: it waits for nothing, and goes first when there is too much. */
    private void passing(Event event) {
        long weight = Paging.weight(event);
        if (lane.backlog() > wiring.bounds().liveEvents() / 2
                || laneBytes.get() + weight > wiring.bounds().liveBytes() / 2) {
            wiring.drops().count("inbox.passing-overrun");
            return;
        }
        laneBytes.addAndGet(weight);
        lane.execute(() -> {
            laneBytes.addAndGet(-weight);
            if (!closed) {
                try {
                    listener.passing(event);
                } catch (RuntimeException e) {
                    LOG.debug("An ephemeral wrap was of no use.", e);
                }
            }
        });
    }

    /** Wraps come faster than they can be kept. Nothing is lost: another sync finds what is left out here. */
    private void miss() {
        wiring.drops().count("inbox.overrun");
        if (!missed) {
            missed = true;
            if (phase == Phase.LIVE) {
                again(CATCH_UP.multipliedBy(1L << catchUps));
            }
        }
    }

    private void refused(String message, boolean authenticated) {
        RelayConnection.AuthStep step =
                Answers.wantsAuth(message) ? connection.authFor(authenticated) : RelayConnection.AuthStep.NO;
        switch (step) {
            case RETRY -> start();
            case WAIT -> stop();
            case NO -> connection.refused(FetchRun.refused(message));
        }
    }

    private void ownerFailed(long mine, Throwable failure) {
        if (failure instanceof RejectedExecutionException) {
            LOG.debug("an inbox is being closed", failure);
        } else {
            LOG.warn("An inbox could not keep what it was given; it is synced again.", failure);
        }
        onLoop(
                mine,
                () -> connection.refused(
                        RelayConnection.unavailable("inbox.owner-failed", "Incoming wraps could not be kept.")));
    }

    private void onLoop(long mine, Runnable action) {
        connection.post(() -> {
            if (mine == sync && !closed) {
                action.run();
            }
        });
    }

    private void endPageRequest() {
        String open = pageRequest;
        pageRequest = null;
        if (open != null) {
            connection.close(open);
        }
    }
}
