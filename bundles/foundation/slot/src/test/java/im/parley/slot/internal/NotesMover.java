package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Mover;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Moves lists of notes, the simplest thing that can be moved; fails where a test wants it to. */
final class NotesMover implements Mover {
    volatile @Nullable ProviderException shipFailure;
    volatile @Nullable ProviderException settleFailure;
    volatile @Nullable ProviderException verifyFailure;
    volatile boolean stuck;
    volatile Runnable beforeShip = () -> {};
    volatile int quieted;

    /** What a provider opens. */
    static final class Notes implements AutoCloseable {
        private final List<String> list;
        private boolean closed;

        Notes(List<String> list) {
            this.list = list;
        }

        synchronized void add(String note) {
            if (closed) {
                throw new IllegalStateException("closed");
            }
            synchronized (list) {
                list.add(note);
            }
        }

        List<String> all() {
            synchronized (list) {
                return List.copyOf(list);
            }
        }

        synchronized boolean isClosed() {
            return closed;
        }

        @Override
        public synchronized void close() {
            closed = true;
        }
    }

    @Override
    public Tap tap(Object opened) {
        return new NotesTap((Notes) opened);
    }

    /** What users are handed. */
    final class NotesTap implements Tap {
        final Notes notes;
        private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
        private final Deque<String> journal = new ArrayDeque<>();
        private volatile boolean journalling;
        private volatile @Nullable NotesTap elsewhere;

        NotesTap(Notes notes) {
            this.notes = notes;
        }

        void add(String note) {
            lock.readLock().lock();
            try {
                if (elsewhere == null) {
                    // Together, as a transaction would.
                    synchronized (journal) {
                        notes.add(note);
                        if (journalling) {
                            journal.add(note);
                        }
                    }
                    return;
                }
            } finally {
                lock.readLock().unlock();
            }
            NotesTap other = elsewhere;
            if (other != null) {
                other.add(note);
            }
        }

        List<String> all() {
            NotesTap other = elsewhere;
            return other == null ? notes.all() : other.all();
        }

        @Override
        public Object object() {
            return this;
        }

        @Override
        public void journal(Path directory) throws ProviderException {
            try {
                Files.createDirectories(directory);
            } catch (java.io.IOException e) {
                throw new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "no directory", e);
            }
            journalling = true;
        }

        @Override
        public void quiet() {
            journalling = false;
            quieted++;
            synchronized (journal) {
                journal.clear();
            }
        }

        @Override
        public Feed feed(Object secondary, String position) {
            return new NotesFeed(this, (Notes) secondary, position.isEmpty());
        }

        @Override
        public boolean hold(Duration limit) throws InterruptedException {
            return !stuck && lock.writeLock().tryLock(limit.toMillis(), TimeUnit.MILLISECONDS);
        }

        @Override
        public void redirect(Tap other) {
            elsewhere = (NotesTap) other;
        }

        @Override
        public void release() {
            lock.writeLock().unlock();
        }
    }

    private final class NotesFeed implements Feed {
        private final NotesTap tap;
        private final Notes secondary;
        private final Deque<String> first = new ArrayDeque<>();
        private long done;
        private final long total;
        private long changes;

        NotesFeed(NotesTap tap, Notes secondary, boolean all) {
            this.tap = tap;
            this.secondary = secondary;
            if (all) {
                synchronized (tap.journal) {
                    tap.journal.clear();
                    first.addAll(tap.notes.all());
                }
            }
            total = Math.max(1, first.size());
        }

        @Override
        public long ship() throws ProviderException {
            beforeShip.run();
            ProviderException failure = shipFailure;
            if (failure != null) {
                throw failure;
            }
            String note = first.poll();
            if (note != null) {
                done++;
                secondary.add(note);
                return total - done + 1;
            }
            synchronized (tap.journal) {
                note = tap.journal.poll();
            }
            if (note == null) {
                return 0;
            }
            changes++;
            secondary.add(note);
            return 1;
        }

        @Override
        public Progress progress() {
            return new Progress(done, total, changes);
        }

        @Override
        public Compared verify(BooleanSupplier cancelled) throws ProviderException {
            if (cancelled.getAsBoolean()) {
                throw new ProviderException(Kind.REJECTED, "handover.cancelled", "called off");
            }
            ProviderException failure = verifyFailure;
            if (failure != null) {
                throw failure;
            }
            return new Compared(secondary.all().size(), 0, "aa".repeat(32), "aa".repeat(32), 0);
        }

        @Override
        public Settled settle() throws ProviderException {
            while (ship() > 0) {
                // All of it.
            }
            ProviderException failure = settleFailure;
            if (failure != null) {
                throw failure;
            }
            return new Settled("journal", 0, 0);
        }

        @Override
        public void close() {
            // Nothing is kept.
        }
    }
}
