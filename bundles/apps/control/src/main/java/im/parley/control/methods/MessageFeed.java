package im.parley.control.methods;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Subscriber;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import im.parley.vault.Vault;
import java.io.IOException;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells one client of messages and, if wanted, of the states of her own. Messages are read by position and the listener
 * only wakes this thread, so none is sent twice, none is missed, and a slow client costs no memory. Nobody tells of
 * states, so they are looked at again while they can still change. Used by one thread.
 */
final class MessageFeed implements Subscriber.Feed {
    private static final int PAGE = 100;

    /** How soon a feed notices that the session was locked while nothing arrives. */
    private static final long LOCK_CHECK_MILLIS = 500;

    private static final long STATE_CHECK_MILLIS = 200;
    private static final int MOST_WATCHED = 200;

    private final Scope circle;
    private final Messenger messenger;
    private final Ledger ledger;
    private final Vault vault;
    private final @Nullable String account;
    private final boolean states;
    /** Messages whose state may change, by position. */
    private final Map<Long, Messenger.Message> watched = new LinkedHashMap<>();

    private long position;

    MessageFeed(
            Scope circle,
            Messenger messenger,
            Ledger ledger,
            Vault vault,
            @Nullable String account,
            long after,
            boolean states) {
        this.circle = circle;
        this.messenger = messenger;
        this.ledger = ledger;
        this.vault = vault;
        this.account = account;
        this.position = after;
        this.states = states;
    }

    @Override
    public void run(Subscriber.Sink sink) throws Exception {
        Semaphore news = new Semaphore(1);
        try (AutoCloseable listening = messenger.onMessage(circle, message -> news.release())) {
            if (states) {
                tellFirstStates(sink);
            }
            while (!vault.state().locked()) {
                long pause = watched.isEmpty() ? LOCK_CHECK_MILLIS : STATE_CHECK_MILLIS;
                if (news.tryAcquire(pause, TimeUnit.MILLISECONDS)) {
                    news.drainPermits();
                    if (tellPage(sink) == PAGE) {
                        news.release();
                    }
                }
                tellChanges(sink);
            }
        }
    }

    private int tellPage(Subscriber.Sink sink) throws ProviderException, IOException {
        List<Messenger.Message> page = messenger.messages(circle, account, position, PAGE);
        for (Messenger.Message message : page) {
            if (vault.state().locked()) {
                return 0;
            }
            sink.notify("message.event", MessengerMethods.message(message));
            position = message.position();
            if (states && message.outgoing()) {
                watch(message);
            }
        }
        return page.size();
    }

    /** Those before the first page: they may have changed since the client last looked. */
    private void tellFirstStates(Subscriber.Sink sink) throws ProviderException, IOException {
        for (Messenger.Message message : messenger.latest(circle, account, PAGE)) {
            if (message.outgoing()
                    && message.position() <= position
                    && !vault.state().locked()) {
                sink.notify("message.state", state(message));
                if (!settled(message)) {
                    watch(message);
                }
            }
        }
    }

    private void watch(Messenger.Message message) {
        watched.put(message.position(), message);
        if (watched.size() > MOST_WATCHED) {
            Iterator<Long> eldest = watched.keySet().iterator();
            eldest.next();
            eldest.remove();
        }
    }

    private void tellChanges(Subscriber.Sink sink) throws ProviderException, IOException {
        for (Messenger.Message before : List.copyOf(watched.values())) {
            if (vault.state().locked()) {
                return;
            }
            List<Messenger.Message> found = messenger.messages(circle, before.account(), before.position() - 1, 1);
            if (found.isEmpty() || found.get(0).position() != before.position()) {
                watched.remove(before.position());
                continue;
            }
            Messenger.Message now = found.get(0);
            if (!now.state().equals(before.state())) {
                sink.notify("message.state", state(now));
                watched.put(now.position(), now);
            }
            if (settled(now)) {
                watched.remove(now.position());
            }
        }
    }

    /** Whether nothing more is expected of it. */
    private boolean settled(Messenger.Message message) throws ProviderException {
        for (Ledger.Entry entry : ledger.entries(circle, message.id(), 1_000)) {
            boolean over = switch (entry.state()) {
                case AT_RELAYS -> entry.relaysHave() >= entry.relaysAll();
                case READ, FAILED -> true;
                case COMPOSED, AWAITING_SIGNER, QUEUED, DELIVERED -> false;
            };
            if (!over) {
                return false;
            }
        }
        return true;
    }

    private static Map<String, Object> state(Messenger.Message message) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("position", message.position());
        shown.put("id", message.id());
        shown.put("account", message.account());
        shown.put("peer", message.peer().hex());
        shown.put("peerName", message.peerName());
        shown.put("sentAt", message.sentAt());
        shown.put("state", message.state());
        return shown;
    }
}
