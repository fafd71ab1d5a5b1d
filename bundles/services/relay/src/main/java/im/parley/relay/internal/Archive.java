package im.parley.relay.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.EventWriter;
import im.parley.protocol.GrammarLimits;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.relay.RelayArchive;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Reads pages of the store, and hands what is brought in to the one writer, as a session does. Thread-safe. */
final class Archive implements RelayArchive {
    private static final int ROWS = 20;
    private static final int PAGE_CHARS = 256 * 1024;
    /** Rows of one call that bring nothing: the caller hears of progress, and the store of other callers. */
    private static final int MOST_ROWS = 5_000;

    private static final long ANSWER_SECONDS = 30;

    private final Slot<Secp256k1> curve;
    private final Slot<EventStore> store;
    private final Admission admission;
    private final Expirations expirations;
    private final CommitQueue commits;
    private final GrammarLimits grammar;
    private final InstantSource clock;

    Archive(
            Slot<Secp256k1> curve,
            Slot<EventStore> store,
            Admission admission,
            Expirations expirations,
            CommitQueue commits,
            GrammarLimits grammar,
            InstantSource clock) {
        this.curve = curve;
        this.store = store;
        this.admission = admission;
        this.expirations = expirations;
        this.commits = commits;
        this.grammar = grammar;
        this.clock = clock;
    }

    @Override
    public Page after(long position) throws ProviderException {
        List<String> events = new ArrayList<>();
        long next = position;
        int chars = 0;
        int rows = 0;
        while (chars < PAGE_CHARS && rows < MOST_ROWS) {
            List<EventStore.Row> read;
            try (Lease<EventStore> lease = store.acquire()) {
                read = lease.get().scan(next, ROWS);
            }
            for (EventStore.Row row : read) {
                next = row.position();
                if (row instanceof EventStore.Row.Stored stored && !expirations.isExpired(stored.event())) {
                    String event = EventWriter.write(stored.event());
                    events.add(event);
                    chars += event.length();
                }
            }
            rows += read.size();
            if (read.size() < ROWS) {
                return new Page(events, next, true);
            }
        }
        return new Page(events, next, false);
    }

    @Override
    public Report take(List<String> lines) throws ProviderException {
        if (lines.size() > MAX_LINES) {
            throw new IllegalArgumentException(lines.size() + " lines are more than " + MAX_LINES);
        }
        Waiting waiting = new Waiting(lines.size());
        for (int i = 0; i < lines.size(); i++) {
            String refusal = refusal(lines.get(i), i, waiting);
            if (refusal != null) {
                waiting.refused(i, refusal);
            }
        }
        return waiting.report();
    }

    /** Null if the writer has it; then it answers. */
    private @Nullable String refusal(String line, int index, Waiting waiting) throws ProviderException {
        try {
            Event event = EventReader.read(line, grammar);
            String refusal = admission.refuse(event);
            if (refusal != null) {
                return refusal;
            }
            if (Kinds.isEphemeral(event.kind())) {
                throw new ProtocolException("ephemeral", "events of this kind are never stored");
            }
            try (Lease<Secp256k1> lease = curve.acquire()) {
                EventVerifier.verify(event, lease.get());
            }
            if (!commits.offer(event, clock.millis(), waiting.at(index))) {
                throw new ProviderException(
                        Kind.EXHAUSTED, "relay.busy", "The relay has too much to store now; import the rest again.");
            }
            return null;
        } catch (ProtocolException e) {
            return e.wireReason();
        }
    }

    /** Collects what the writer says of one call's events. */
    private static final class Waiting {
        private static final List<String> GONE = List.of("blocked: deleted", "blocked: vanished", "invalid: expired");

        private final CountDownLatch unanswered;
        private final List<Refusal> refused = new ArrayList<>();
        private int stored;
        private int known;
        private int gone;

        Waiting(int lines) {
            unanswered = new CountDownLatch(lines);
        }

        synchronized void refused(int index, String reason) {
            if (GONE.stream().anyMatch(reason::startsWith)) {
                gone++;
            } else {
                refused.add(new Refusal(index, Drops.code(reason), reason));
            }
            unanswered.countDown();
        }

        private synchronized void stored(boolean fresh) {
            stored += fresh ? 1 : 0;
            known += fresh ? 0 : 1;
            unanswered.countDown();
        }

        CommitQueue.Publisher at(int index) {
            return new CommitQueue.Publisher() {
                @Override
                public boolean wantsOthersTold() {
                    return false;
                }

                @Override
                public void committed(Event event, Outcome outcome) {
                    switch (outcome) {
                        case STORED -> stored(true);
                        case DUPLICATE, SUPERSEDED -> stored(false);
                        case DELETED -> refused(index, "blocked: deleted by its author");
                        default -> refused(index, "error: storage.bad-answer the store gave no answer for this event");
                    }
                }

                @Override
                public void failed(Event event, ProviderException failure) {
                    refused(index, "error: " + failure.code() + " nothing was done, try again later");
                }

                @Override
                public void forbidden(Event event, String reason) {
                    refused(index, reason);
                }

                @Override
                public void broken() {
                    refused(index, "error: internal.writer it may be stored or not, import it again");
                }
            };
        }

        Report report() throws ProviderException {
            try {
                if (!unanswered.await(ANSWER_SECONDS, TimeUnit.SECONDS)) {
                    throw new ProviderException(
                            Kind.TIMEOUT,
                            "relay.slow",
                            "The store took longer than " + ANSWER_SECONDS
                                    + " s; some of it may be stored. Import again.");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ProviderException(
                        Kind.UNAVAILABLE, "relay.stops", "The relay stops; some of it may be stored. Import again.");
            }
            synchronized (this) {
                refused.sort(Comparator.comparingInt(Refusal::index));
                return new Report(stored, known, gone, refused);
            }
        }
    }
}
