package im.parley.relay;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Takes the relay's events out and brings events in, one JSON object per line as every Nostr tool writes them. For the
 * operator only: it passes by read guard, policies and rates. Thread-safe; blocks on the store.
 */
@ProviderType
public interface RelayArchive {
    /** Events of one {@link #take}. */
    int MAX_LINES = 500;

    /**
     * The next events in the order in which they were stored; those that have expired are left out. What is stored while
     * pages are read comes in one of the last.
     *
     * @param position 0 at first, then {@link Page#next}
     * @throws ProviderException if the store cannot be read; ask the same again
     */
    Page after(long position) throws ProviderException;

    /**
     * Verifies events and stores them as if clients had published them, except that connected clients are not told of them.
     * What the relay would refuse from anybody it refuses here too, but an event that only its author may publish
     * (NIP-70) is taken. Doing it again changes nothing.
     *
     * @param lines JSON objects, {@link #MAX_LINES} at most
     * @throws ProviderException {@code EXHAUSTED relay.busy} and {@code TIMEOUT relay.slow}: some of them may be stored; do
     *     it again
     */
    Report take(List<String> lines) throws ProviderException;

    /**
     * Events of a page.
     *
     * @param events JSON objects without line breaks; about 256 KiB together unless one is larger
     * @param last whether there was nothing behind them when they were read
     */
    record Page(List<String> events, long next, boolean last) {
        public Page {
            events = List.copyOf(events);
        }
    }

    /**
     * What became of the lines.
     *
     * @param stored are new
     * @param known were there before, or a newer version of them
     * @param gone are events that somebody took back, or whose time is over: an older copy brings nothing of that back
     * @param refused all others
     */
    record Report(int stored, int known, int gone, List<Refusal> refused) {
        public Report {
            refused = List.copyOf(refused);
        }
    }

    /**
     * A line that was not taken.
     *
     * @param index in the list, from 0
     * @param code stable, for example {@code invalid.sig}
     * @param reason as a client would have got it
     */
    record Refusal(int index, String code, String reason) {}
}
