package im.parley.messenger.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Messenger.Message;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells listeners of messages, each once and in the order of positions. What is told is read back from the records, so
 * nothing is told that a crash could take away, and a commit by whatever path is noticed.
 */
final class Announcer {
    private static final Logger LOG = LoggerFactory.getLogger(Announcer.class);
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final int PAGE = 200;

    /** Reads what is visible. */
    interface Reader {
        /** The position of the newest message; 0 if there is none. */
        long newest() throws ProviderException;

        List<Message> after(long position, int limit) throws ProviderException;
    }

    private final Work work;
    private final Reader reader;
    private final List<Ear> ears = new CopyOnWriteArrayList<>();
    private final AtomicBoolean planned = new AtomicBoolean();

    private static final class Ear {
        private final Consumer<Message> listener;
        /** Of the last message it was told of or is not to be told of; negative while the store does not say. */
        private long position;

        private volatile boolean closed;

        Ear(Consumer<Message> listener, long position) {
            this.listener = listener;
            this.position = position;
        }
    }

    Announcer(Work work, Reader reader) {
        this.work = work;
        this.reader = reader;
    }

    /** Tells of what becomes visible from now on, or from when the store is there again. */
    AutoCloseable listen(Consumer<Message> listener) {
        long position;
        try {
            position = reader.newest();
        } catch (ProviderException e) {
            position = -1;
        }
        Ear ear = new Ear(listener, position);
        ears.add(ear);
        wake();
        return () -> {
            ear.closed = true;
            ears.remove(ear);
        };
    }

    /** Something may have become visible. Does not block. */
    void wake() {
        if (!ears.isEmpty() && planned.compareAndSet(false, true)) {
            work.inOrder(this::tell);
        }
    }

    private void tell() {
        planned.set(false);
        for (Ear ear : ears) {
            try {
                tell(ear);
            } catch (ProviderException e) {
                if (planned.compareAndSet(false, true)) {
                    work.later(RETRY, this::tell);
                }
            }
        }
    }

    private void tell(Ear ear) throws ProviderException {
        if (ear.position < 0) {
            ear.position = reader.newest();
        }
        List<Message> messages;
        do {
            messages = reader.after(ear.position, PAGE);
            for (Message message : messages) {
                if (ear.closed) {
                    return;
                }
                ear.position = message.position();
                try {
                    ear.listener.accept(message);
                } catch (RuntimeException e) {
                    LOG.warn("A listener failed for a message and is told the next one.", e);
                }
            }
        } while (messages.size() == PAGE);
    }
}
