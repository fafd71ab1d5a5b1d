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
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One inbox at one relay. A sync opens the live subscription first and waits until it stands, so that nothing falls
 * between it and the stored wraps; then it pages from the frontier to the end, hands all over, says so, and lets live
 * wraps through, those first that came meanwhile. Any trouble ends the connection and the next one syncs again: the
 * frontier moves only when the owner has everything.
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
    private static final int CHUNK_EVENTS = 20_000;
    private static final long CHUNK_BYTES = 32L << 20;
    private static final int MAX_SYNC_EVENTS = 500_000;
    private static final int MAX_LIVE_WAITING = 5_000;
    private static final long MAX_LIVE_BYTES = 32L << 20;
    private static final int MAX_RESTARTS = 20;
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

    // On the loop.
    private Phase phase = Phase.OFF;
    private long sync;
    private long startedAt;
    private @Nullable Paging paging;
    private @Nullable String liveRequest;
    private @Nullable String pageRequest;
    private boolean pageMoved;
    private int restarts;
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
        this.lane = new Serial(wiring.owners());
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
        restarts = 0;
        early = new ArrayList<>();
        earlyBytes = 0;
    }

    private void begin() {
        long mine = ++sync;
        startedAt = wiring.second();
        phase = Phase.FRONTIER;
        lane.execute(() -> {
            if (closed) {
                return;
            }
            long frontier;
            try {
                frontier = listener.frontier();
            } catch (RuntimeException e) {
                ownerFailed(mine, e);
                return;
            }
            onLoop(mine, () -> from(frontier));
        });
    }

    private Filter.Builder wraps() {
        return Filter.builder().kinds(List.of(Kinds.GIFT_WRAP)).tag('p', List.of(identity.hex()));
    }

    private void from(long frontier) {
        long since = frontier - OVERLAP_SECONDS;
        paging = new Paging((since > 0 ? wraps().since(since) : wraps()).build());
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
        liveRequest = connection.open(new Request(wraps().limit(0).build()) {
            @Override
            void event(Event event) {
                live(event);
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
                if (!pages.add(event)) {
                    wiring.drops().count("event.beyond-limit");
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
        if (pages.total() > MAX_SYNC_EVENTS) {
            wiring.drops().count("relay.misbehaving");
            connection.refused(RelayConnection.unavailable(
                    "relay.misbehaving", "The relay sent more wraps than one inbox can hold."));
        } else if (!more) {
            handOver(pages.take(), true);
        } else if (pages.held() >= CHUNK_EVENTS || pages.heldBytes() >= CHUNK_BYTES) {
            handOver(pages.take(), false);
        } else {
            page();
        }
    }

    private void handOver(List<Event> events, boolean last) {
        phase = Phase.HANDING;
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
            } catch (RuntimeException e) {
                brokenSync = mine;
                ownerFailed(mine, e);
                return;
            }
            onLoop(mine, last ? this::synced : this::page);
        });
    }

    private void synced() {
        phase = Phase.LIVE;
        paging = null;
        restarts = 0;
        connection.succeeded();
        List<Event> waiting = early;
        early = new ArrayList<>();
        earlyBytes = 0;
        for (Event event : waiting) {
            live(event);
        }
        long mine = sync;
        timer = connection.after(RESYNC, () -> {
            if (mine == sync && phase == Phase.LIVE) {
                begin();
            }
        });
    }

    private void live(Event event) {
        if (phase != Phase.LIVE) {
            Paging pages = paging;
            if (pages != null && pages.arrivedLive(event.id())) {
                endPageRequest();
                early.add(event);
                if (++restarts > MAX_RESTARTS) {
                    wiring.drops().count("relay.misbehaving");
                    connection.refused(RelayConnection.unavailable(
                            "relay.misbehaving", "The relay mixes new events into stored ones without end."));
                } else {
                    begin();
                }
                return;
            }
            early.add(event);
            earlyBytes += Paging.weight(event);
            if (early.size() > MAX_LIVE_WAITING || earlyBytes > MAX_LIVE_BYTES) {
                overrun();
            }
            return;
        }
        if (lane.backlog() > MAX_LIVE_WAITING) {
            overrun();
            return;
        }
        long mine = sync;
        lane.execute(() -> {
            if (closed || known.containsKey(event.id())) {
                return;
            }
            try {
                listener.live(event);
                known.put(event.id(), true);
            } catch (RuntimeException e) {
                ownerFailed(mine, e);
            }
        });
    }

    /** Nothing is lost: the frontier stands, and the next sync finds what is dropped here. */
    private void overrun() {
        wiring.drops().count("inbox.overrun");
        connection.lost(RelayConnection.unavailable("inbox.overrun", "Wraps come faster than they can be kept."));
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

    private void ownerFailed(long mine, RuntimeException failure) {
        LOG.warn("an inbox could not keep what it was given; it is synced again", failure);
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
