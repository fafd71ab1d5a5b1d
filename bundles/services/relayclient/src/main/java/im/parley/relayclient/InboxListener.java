package im.parley.relayclient;

import im.parley.api.event.Event;
import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * What an inbox tells its owner. Calls for one inbox never overlap; they may block on disk. Whatever they throw, the inbox
 * is synced again; a {@code RejectedExecutionException} says that the owner is closing, and is no fault.
 */
@ConsumerType
public interface InboxListener {
    /** Seconds since the epoch of the last complete sync with this relay; 0 if there was none. Kept by the owner. */
    long frontier();

    /**
     * All stored wraps of one sync that the relay had, newest first; may be empty. When this returns normally the owner
     * has them durably, and {@link #synced} follows. A sync of more than 20,000 wraps (or 16 MiB) comes in several calls
     * before {@code synced}, newest first, and live wraps come between them; the last of them has the live wraps that came
     * meanwhile. Wraps that were handed over since the node
     * started are left out, but the owner may still see one twice.
     */
    void stored(List<Event> wraps);

    /**
     * A sync is complete.
     *
     * @param startedAt seconds since the epoch when it began: the next frontier
     */
    void synced(long startedAt);

    /** A live wrap, as it arrives. */
    void live(Event wrap);

    /** An ephemeral wrap (kind 21059), as it arrives; no relay keeps it, and it may be left out. */
    default void passing(Event wrap) {}
}
