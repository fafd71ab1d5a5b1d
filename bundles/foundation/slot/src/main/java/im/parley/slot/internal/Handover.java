package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Mover;
import im.parley.slot.SwapProgress;
import im.parley.slot.SwapReport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves what the provider of one slot keeps to another provider, while both are used.
 *
 * <p>The old one serves and journals what changes, everything is copied behind its back, changes are carried over until
 * few are left, both sides are compared; then writers wait a moment, the rest is carried over, the stack generation is
 * written and the new one serves. From there on the same runs in the other direction, so that the old one stays up to date
 * and an undo loses nothing, until {@link #finish}.
 *
 * <p>A kill leaves the old one (an incomplete copy is thrown away) or the new one (which goes on keeping the old one up to
 * date). Calls come from one thread at a time, except {@link #progress}, {@link #cancel} and {@link #emptied}.
 */
final class Handover {
    private static final Logger LOG = LoggerFactory.getLogger(Handover.class);

    /** Few enough to be carried over while writers wait. */
    private static final long FEW = 100;

    /** So often in a row it may be no fewer than they were. */
    private static final int ROUNDS = 200;

    private static final int HOLD_TRIES = 20;
    private static final Duration HOLD = Duration.ofMillis(500);

    private final String slot;
    private final SlotHost host;
    private final Openings openings;
    private final HandoverState state;

    private final AtomicBoolean cancelled = new AtomicBoolean();
    private volatile SwapProgress progress;
    private volatile @Nullable Filled filled;
    private volatile @Nullable Window window;

    /** What serves, with the tap on it. */
    private record Filled(Opened opened, Mover.Tap tap) {}

    /** Opens candidates of the slot. */
    interface Openings {
        /** Opens that instance beside what serves. */
        Opened open(String instance) throws ProviderException;
    }

    /** Makes another instance the one that serves. */
    interface Switch {
        /**
         * While writers wait.
         *
         * @return the stack generation that selects it
         */
        long serve(Opened opened, Object forUsers) throws ProviderException;
    }

    /**
     * What was moved.
     *
     * @param generation that selects the new one
     */
    record Done(long generation, SwapReport.Moved moved) {}

    Handover(String slot, SlotHost host, Openings openings) {
        this.slot = slot;
        this.host = host;
        this.openings = openings;
        this.state = new HandoverState(slot, host.handoversDir());
        this.progress = SwapProgress.none(slot);
    }

    SwapProgress progress() {
        Window open = window;
        return open == null ? progress : open.progress();
    }

    /** Has a move or a comparison under way give up; without effect if writers wait already. */
    void cancel() {
        cancelled.set(true);
    }

    private Mover mover() throws ProviderException {
        Mover mover = host.mover(slot);
        if (mover == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "slot.host-starting",
                    "What moves the contents of the slot " + slot + " is not up; it is tried again by itself.");
        }
        return mover;
    }

    // Starting and ending

    /**
     * Before what was opened serves: goes on with what an earlier run left.
     *
     * @return what users are handed
     */
    Object fill(Opened opened) throws ProviderException {
        Mover.Tap tap = mover().tap(opened.object());
        HandoverState.Mark mark = state.read();
        if (mark != null) {
            goOn(opened, tap, mark);
        }
        filled = new Filled(opened, tap);
        return tap.object();
    }

    private void goOn(Opened opened, Mover.Tap tap, HandoverState.Mark mark) throws ProviderException {
        boolean old = opened.instance().equals(mark.from());
        if (!old && !opened.instance().equals(mark.to())) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "handover.other-selected",
                    "The slot " + slot + " selects " + opened.instance() + ", but a handover from " + mark.from()
                            + " to " + mark.to()
                            + " is not finished, so only these two have everything. Select one of them.");
        }
        HandoverState.Phase phase = mark.phase();
        if (phase == HandoverState.Phase.COPYING || phase == HandoverState.Phase.SWITCHING && old && !mark.back()) {
            LOG.warn("Slot {}: the copy to {} was cut off by the end of the node and is dropped", slot, mark.to());
            tap.quiet();
            state.clear();
        } else if (phase == HandoverState.Phase.SWITCHING && mark.back() && !old) {
            state.stale(mark.from());
            tap.quiet();
            state.clear();
        } else if (phase == HandoverState.Phase.SWITCHING && mark.back()) {
            resume(
                    opened,
                    tap,
                    new HandoverState.Mark(
                            HandoverState.Phase.WINDOW, mark.to(), mark.from(), false, mark.sinceMillis()));
        } else if (!old) {
            resume(
                    opened,
                    tap,
                    new HandoverState.Mark(
                            HandoverState.Phase.WINDOW, mark.from(), mark.to(), false, mark.sinceMillis()));
        } else {
            catchUp(opened, mark);
        }
    }

    private void resume(Opened opened, Mover.Tap tap, HandoverState.Mark mark) throws ProviderException {
        state.current(opened.instance());
        tap.journal(state.journal(opened.instance()));
        state.write(mark);
        window = new Window(tap, mark, null, null);
        LOG.info("Slot {}: {} is kept up to date, so that an undo loses nothing", slot, mark.from());
    }

    /** Somebody selected the old one again without an undo: it gets what it lacks before it serves. */
    private void catchUp(Opened old, HandoverState.Mark mark) throws ProviderException {
        Opened newer;
        try {
            newer = openings.open(mark.to());
        } catch (ProviderException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "handover.behind",
                    "The slot " + slot + " selects " + old.instance() + ", but " + mark.to()
                            + " has newer contents and cannot be opened (" + e.code() + ": " + e.getMessage()
                            + "). Select " + mark.to() + ", or make it open.");
        }
        try {
            Mover.Tap tap = mover().tap(newer.object());
            tap.journal(state.journal(mark.to()));
            try (Mover.Feed feed = tap.feed(old.object(), "kept")) {
                feed.settle();
            }
            tap.quiet();
        } finally {
            newer.letGo();
        }
        state.stale(mark.to());
        state.clear();
        LOG.info("Slot {}: {} got what {} had beyond it, and serves again", slot, old.instance(), mark.to());
    }

    /** What served is leaving, or the node stops; what is on disk stays. */
    void emptied() {
        Window open;
        synchronized (this) {
            cancelled.set(true);
            open = window;
            window = null;
            filled = null;
        }
        if (open != null) {
            open.stop();
            open.letGo();
        }
    }

    /** A provider leaves, and may be the one that is kept up to date. */
    void leaving(String instance) {
        Window open = window;
        if (open != null && open.mark.from().equals(instance)) {
            open.lose();
        }
    }

    /**
     * Ends the time in which an undo loses nothing: the old one is closed, its files stay.
     *
     * @return the instance that is no longer kept up to date
     * @throws ProviderException {@code REJECTED swap.no-window}
     */
    String finish() throws ProviderException {
        Window open = window;
        Filled now = filled;
        if (open == null || now == null) {
            throw noWindow();
        }
        open.stop();
        String old = open.mark.from();
        // In this order: out of date before nothing says that it is kept up to date.
        state.stale(old);
        state.clear();
        window = null;
        open.letGo();
        now.tap().quiet();
        progress = SwapProgress.none(slot);
        return old;
    }

    private ProviderException noWindow() {
        return new ProviderException(
                Kind.REJECTED,
                "swap.no-window",
                "The slot " + slot + " keeps no other store up to date: nothing was moved, or that was finished.");
    }

    /**
     * Compares what serves with what is kept up to date.
     *
     * @throws ProviderException {@code REJECTED swap.no-window}
     */
    Mover.Compared compare() throws ProviderException {
        Window open = window;
        if (open == null) {
            throw noWindow();
        }
        open.stop();
        cancelled.set(false);
        try {
            Mover.Feed feed = open.feed();
            carryMost(feed);
            return feed.verify(cancelled::get);
        } finally {
            goOnWith(open);
        }
    }

    /** Keeps the old one up to date again, unless the slot was emptied meanwhile: then nobody would end that. */
    private void goOnWith(Window open) {
        synchronized (this) {
            if (filled != null) {
                window = open;
                open.start();
                return;
            }
        }
        open.letGo();
    }

    // Moving

    Done move(String to, Switch serving) throws ProviderException {
        Filled from = filled;
        if (from == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "slot.empty", "Slot " + slot + " is empty, so there is nothing to move.");
        }
        cancelled.set(false);
        Window open = window;
        if (open != null && open.mark.from().equals(to)) {
            return moveBack(from, open, serving);
        }
        if (open != null) {
            finish();
        }
        return moveOn(from, to, serving);
    }

    private Done moveOn(Filled from, String to, Switch serving) throws ProviderException {
        String old = from.opened().instance();
        show("preparing", old, to);
        Path data = host.dataDirOf(to);
        state.emptied(to, data);
        state.stale(to);
        state.write(new HandoverState.Mark(
                HandoverState.Phase.COPYING, old, to, false, host.clock().millis()));
        Opened target = null;
        boolean moved = false;
        try {
            target = openings.open(to);
            from.tap().journal(state.freshJournal(old));
            Done done;
            try (Mover.Feed feed = from.tap().feed(target.object(), "")) {
                done = carry(from, target, feed, serving, false);
            }
            moved = true;
            return done;
        } finally {
            if (!moved) {
                progress = SwapProgress.none(slot);
                if (target != null) {
                    target.letGo();
                }
                giveUp(from.tap());
            }
        }
    }

    private void giveUp(Mover.Tap tap) {
        try {
            tap.quiet();
            state.clear();
        } catch (ProviderException | RuntimeException e) {
            LOG.warn("Slot {}: what a handover left is cleared away at the next start: {}", slot, e.toString());
        }
    }

    private Done moveBack(Filled from, Window open, Switch serving) throws ProviderException {
        open.stop();
        boolean moved = false;
        try {
            Mover.Feed feed = open.feed();
            show("preparing", from.opened().instance(), open.mark.from());
            window = null;
            Done done = carry(from, open.opened(), feed, serving, true);
            moved = true;
            feed.close();
            return done;
        } finally {
            if (!moved) {
                progress = SwapProgress.none(slot);
                try {
                    state.write(open.mark);
                } catch (ProviderException e) {
                    // A start comes to the same conclusion from the mark that stands.
                    LOG.warn("Slot {}: {}", slot, e.getMessage());
                }
                goOnWith(open);
            }
        }
    }

    /** From a feed that has just begun, or has long been going, to the switch. */
    private Done carry(Filled from, Opened target, Mover.Feed feed, Switch serving, boolean back)
            throws ProviderException {
        String old = from.opened().instance();
        String next = target.instance();
        long began = System.nanoTime();
        show("copying", old, next);
        carryMost(feed);
        long copied = System.nanoTime();
        show("comparing", old, next);
        Mover.Compared compared = feed.verify(cancelled::get);
        long verified = System.nanoTime();
        carryMost(feed);
        show("switching", old, next);
        HandoverState.Mark mark = new HandoverState.Mark(
                HandoverState.Phase.SWITCHING, old, next, back, host.clock().millis());
        // Before writers wait: the disk writes out with it what the copy has left to be written, which takes its time.
        state.write(mark);
        carryMost(feed);
        hold(from.tap(), feed);
        long held = System.nanoTime();
        long generation;
        Filled filledNext;
        Window reverse = null;
        boolean switched = false;
        long settledAt = held;
        long shipped = 0;
        try {
            Mover.Settled settled = feed.settle();
            settledAt = System.nanoTime();
            shipped = settled.shipped();
            Mover.Tap tap = mover().tap(target.object());
            filledNext = new Filled(target, tap);
            reverse = back ? null : reversed(from, filledNext, settled, mark);
            generation = serving.serve(target, tap.object());
            from.tap().redirect(tap);
            switched = true;
        } finally {
            from.tap().release();
            if (!switched && reverse != null) {
                reverse.letGo();
            }
        }
        long pause = System.nanoTime() - held;
        LOG.info(
                "Slot {}: writers waited {} ms, of these {} for the last {} changes",
                slot,
                pause / 1_000_000,
                (settledAt - held) / 1_000_000,
                shipped);
        filled = filledNext;
        afterSwitch(from, next, back, reverse);
        Mover.Progress carried = feed.progress();
        return new Done(
                generation,
                new SwapReport.Moved(
                        compared.rows(),
                        compared.marks(),
                        carried.changes(),
                        compared.primary(),
                        compared.secondary(),
                        compared.changed(),
                        pause / 1_000,
                        (copied - began) / 1_000_000,
                        (verified - copied) / 1_000_000));
    }

    private Window reversed(Filled from, Filled next, Mover.Settled settled, HandoverState.Mark mark)
            throws ProviderException {
        next.tap().journal(state.freshJournal(next.opened().instance()));
        Mover.Feed feed = next.tap().feed(from.opened().object(), settled.position());
        return new Window(
                next.tap(),
                new HandoverState.Mark(HandoverState.Phase.WINDOW, mark.from(), mark.to(), false, mark.sinceMillis()),
                from.opened().shared(),
                feed);
    }

    /** The switch stands, whatever fails here; the next start would do it again. */
    private void afterSwitch(Filled from, String next, boolean back, @Nullable Window reverse) {
        try {
            if (reverse != null) {
                state.current(next);
                // The old one is a secondary now and has no journal of its own.
                from.tap().quiet();
                state.write(reverse.mark);
                window = reverse;
                progress = SwapProgress.none(slot);
                reverse.start();
            } else if (back) {
                state.stale(from.opened().instance());
                state.clear();
                progress = SwapProgress.none(slot);
            }
        } catch (ProviderException | RuntimeException e) {
            LOG.error("Slot {} was switched to {}, but that could not be written down: {}", slot, next, e.toString());
        }
    }

    private void hold(Mover.Tap tap, Mover.Feed feed) throws ProviderException {
        try {
            for (int i = 0; i < HOLD_TRIES; i++) {
                if (tap.hold(HOLD)) {
                    return;
                }
                carryMost(feed);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw gaveUp();
        }
        throw new ProviderException(
                Kind.UNAVAILABLE,
                "swap.busy",
                "A write on " + slot
                        + " did not end, so there was no moment to switch. Try again; the old one serves.");
    }

    /** Until only few changes are left, or as few as the traffic allows. */
    private void carryMost(Mover.Feed feed) throws ProviderException {
        int rounds = 0;
        long least = Long.MAX_VALUE;
        while (true) {
            if (cancelled.get()) {
                throw gaveUp();
            }
            long left = feed.ship();
            Mover.Progress now = feed.progress();
            SwapProgress shown = progress;
            progress = new SwapProgress(
                    slot,
                    shown.phase(),
                    shown.from(),
                    shown.to(),
                    now.done(),
                    now.total(),
                    now.changes(),
                    left,
                    shown.sinceMillis(),
                    "");
            boolean firstPassDone = now.done() >= now.total();
            if (left == 0 || left <= FEW && firstPassDone) {
                return;
            }
            rounds = left < least ? 0 : rounds + 1;
            least = Math.min(least, left);
            if (firstPassDone && rounds > ROUNDS) {
                throw new ProviderException(
                        Kind.UNAVAILABLE,
                        "swap.cannot-catch-up",
                        "More is written to " + slot + " than can be carried over. Try again when less is written.");
            }
        }
    }

    private static ProviderException gaveUp() {
        return new ProviderException(
                Kind.REJECTED, "handover.cancelled", "The handover was called off; the old store serves on.");
    }

    private void show(String phase, String from, String to) {
        SwapProgress before = progress;
        progress = new SwapProgress(
                slot,
                phase,
                from,
                to,
                before.done(),
                before.total(),
                before.changes(),
                before.lag(),
                host.clock().millis(),
                "");
    }

    /** Keeps the old store up to date, on a thread of its own. */
    private final class Window {
        private static final long IDLE_MILLIS = 250;
        private static final long RETRY_MILLIS = 2_000;

        private final Mover.Tap tap;
        private final HandoverState.Mark mark;
        private final AtomicBoolean stopping = new AtomicBoolean();
        private @Nullable Opened old;
        private Mover.@Nullable Feed feed;
        private @Nullable Thread thread;
        private volatile long lag;
        private volatile long changes;
        private volatile String problem = "";

        Window(Mover.Tap tap, HandoverState.Mark mark, @Nullable Opened old, Mover.@Nullable Feed feed) {
            this.tap = tap;
            this.mark = mark;
            this.old = old;
            this.feed = feed;
            if (feed == null) {
                start();
            }
        }

        SwapProgress progress() {
            return new SwapProgress(
                    slot, "window", mark.from(), mark.to(), 1, 1, changes, lag, mark.sinceMillis(), problem);
        }

        synchronized void start() {
            stopping.set(false);
            Thread started = new Thread(null, this::run, "parley-handover " + slot, 0, false);
            started.setContextClassLoader(Handover.class.getClassLoader());
            started.setDaemon(true);
            thread = started;
            started.start();
        }

        /** Returns when the thread is done; the feed is the caller's then. */
        void stop() {
            Thread running;
            synchronized (this) {
                stopping.set(true);
                notifyAll();
                running = thread;
                thread = null;
            }
            boolean interrupted = false;
            while (running != null && running != Thread.currentThread()) {
                try {
                    running.join();
                    running = null;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        /** With the thread stopped, or on it. */
        synchronized Mover.Feed feed() throws ProviderException {
            Mover.Feed open = feed;
            if (open == null) {
                Opened opened = old;
                if (opened == null) {
                    opened = openings.open(mark.from());
                    old = opened;
                }
                open = tap.feed(opened.object(), "kept");
                feed = open;
            }
            return open;
        }

        synchronized Opened opened() {
            Opened opened = old;
            if (opened == null) {
                throw new IllegalStateException("not open");
            }
            return opened;
        }

        synchronized void letGo() {
            Mover.Feed open = feed;
            Opened opened = old;
            feed = null;
            old = null;
            if (open != null) {
                open.close();
            }
            if (opened != null) {
                opened.letGo();
            }
        }

        /** The old provider leaves; it is opened again when it is back. */
        void lose() {
            stop();
            letGo();
            start();
        }

        private void run() {
            while (!stopping.get()) {
                long pause;
                try {
                    Mover.Feed open = feed();
                    lag = open.ship();
                    changes = open.progress().changes();
                    problem = "";
                    pause = lag > 0 ? 0 : IDLE_MILLIS;
                } catch (ProviderException e) {
                    fail(e.code() + ": " + e.getMessage());
                    pause = RETRY_MILLIS;
                } catch (RuntimeException | LinkageError e) {
                    LOG.debug("Slot {}: {} failed", slot, mark.from(), e);
                    fail("handover.failed: " + e);
                    pause = RETRY_MILLIS;
                }
                if (pause > 0) {
                    idle(pause);
                }
            }
        }

        private void fail(String why) {
            if (!problem.equals(why)) {
                LOG.warn("Slot {}: {} is not kept up to date now: {}", slot, mark.from(), why);
            }
            problem = why;
        }

        private synchronized void idle(long millis) {
            try {
                if (!stopping.get()) {
                    wait(millis);
                }
            } catch (InterruptedException e) {
                stopping.set(true);
            }
        }
    }
}
