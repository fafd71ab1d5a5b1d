package im.parley.control.methods;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Subscriber;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger;
import im.parley.outbox.Ledger;
import im.parley.vault.Vault;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells one client of messages and, if wanted, of the states of her own. Messages are read by position and the listener
 * only wakes this thread, so none is sent twice, none is missed, and a slow client costs no memory. Nobody tells of
 * states, so the ledger's sums, one record, are looked at while a state can still change; the messages are read again
 * when the sums moved, and now and then all the same, because a second relay moves no sum. Used by one thread.
 */
final class MessageFeed implements Subscriber.Feed {
    private static final int PAGE = 100;

    /** How soon a feed notices that the session was locked while nothing arrives. */
    private static final long LOCK_CHECK_MILLIS = 500;

    private static final long STATE_CHECK_MILLIS = 200;
    private static final long STATE_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(STATE_CHECK_MILLIS);

    /** How long states may rest at most before they are read again though no sum moved. */
    private static final long LONGEST_REST_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final int MOST_TYPISTS = 50;
    private static final int MOST_WATCHED = 200;

    /** So many messages between two watched ones are rather read with them than each on its own. */
    private static final int MOST_BETWEEN = 4;

    private final Scope circle;
    private final Messenger messenger;
    private final Conversations conversations;
    private final Ledger ledger;
    private final Vault vault;
    private final @Nullable String account;
    private final boolean states;
    private final boolean typing;
    /** Those who write and were not told of yet; the oldest go when the client does not read. */
    private final BlockingQueue<Conversations.Typing> typists = new ArrayBlockingQueue<>(MOST_TYPISTS);
    /** Messages whose state may change, by position. */
    private final NavigableMap<Long, Messenger.Message> watched = new TreeMap<>();
    /** Positions of those of which more may not be expected. */
    private final Set<Long> unsure = new HashSet<>();
    /** Positions of those of which a recipient alone can say more, which the sums tell. */
    private final Set<Long> calm = new HashSet<>();

    private long position;
    private Ledger.@Nullable Totals sums;
    private long lookedAt;
    private long readAt;
    private long rest = STATE_CHECK_NANOS;

    MessageFeed(
            Scope circle,
            Messenger messenger,
            Conversations conversations,
            Ledger ledger,
            Vault vault,
            @Nullable String account,
            long after,
            boolean states,
            boolean typing) {
        this.circle = circle;
        this.messenger = messenger;
        this.conversations = conversations;
        this.ledger = ledger;
        this.vault = vault;
        this.account = account;
        this.position = after;
        this.states = states;
        this.typing = typing;
    }

    @Override
    public void run(Subscriber.Sink sink) throws Exception {
        Semaphore news = new Semaphore(1);
        try (AutoCloseable listening = messenger.onMessage(circle, message -> news.release());
                AutoCloseable hearing = conversations.onTyping(circle, one -> heard(one, news))) {
            lookedAt = System.nanoTime();
            if (states) {
                tellFirstStates(sink);
            }
            while (!vault.state().locked()) {
                long pause = watched.isEmpty() ? LOCK_CHECK_MILLIS : STATE_CHECK_MILLIS;
                if (news.tryAcquire(pause, TimeUnit.MILLISECONDS)) {
                    news.drainPermits();
                    tellTypists(sink);
                    if (tellPage(sink) == PAGE) {
                        news.release();
                    }
                }
                if (!watched.isEmpty() && System.nanoTime() - lookedAt >= STATE_CHECK_NANOS) {
                    lookedAt = System.nanoTime();
                    look(sink);
                }
            }
        }
    }

    private void heard(Conversations.Typing one, Semaphore news) {
        boolean mine = account == null || one.account().equals(account);
        if (typing && mine && typists.offer(one)) {
            news.release();
        }
    }

    private void tellTypists(Subscriber.Sink sink) throws IOException {
        Conversations.Typing one = typists.poll();
        while (one != null && !vault.state().locked()) {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("account", one.account());
            shown.put("room", one.room());
            shown.put("by", one.by().hex());
            shown.put("name", one.name());
            shown.put("until", one.until());
            sink.notify("typing.event", shown);
            one = typists.poll();
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
                watch(message);
            }
        }
    }

    private void watch(Messenger.Message message) {
        watched.put(message.position(), message);
        unsure.add(message.position());
        if (watched.size() > MOST_WATCHED) {
            forget(watched.firstKey());
        }
    }

    private void forget(long position) {
        watched.remove(position);
        unsure.remove(position);
        calm.remove(position);
    }

    private void look(Subscriber.Sink sink) throws ProviderException, IOException {
        // Read before the messages: what moves in between is noticed at the next look.
        Ledger.Totals now = ledger.totals(circle);
        boolean moved = !now.equals(sums);
        sums = now;
        boolean mayMove = watched.size() > calm.size();
        if (moved || !unsure.isEmpty() || mayMove && System.nanoTime() - readAt >= rest) {
            boolean changed = tellChanges(sink);
            readAt = System.nanoTime();
            rest = moved || changed ? STATE_CHECK_NANOS : Math.min(LONGEST_REST_NANOS, 2 * rest);
        }
    }

    /** Whether there was something to tell. */
    private boolean tellChanges(Subscriber.Sink sink) throws ProviderException, IOException {
        // Asked before the messages are read, so that what is read of a settled one is its last state.
        Set<Long> settled = new HashSet<>();
        for (long one : unsure) {
            Messenger.Message message = watched.get(one);
            if (message == null) {
                continue;
            }
            List<Ledger.Entry> entries = ledger.entries(circle, message.id(), 1_000);
            if (entries.stream().allMatch(MessageFeed::isOver)) {
                settled.add(one);
            }
            if (entries.stream().allMatch(entry -> isOver(entry) || isCalm(entry))) {
                calm.add(one);
            } else {
                calm.remove(one);
            }
        }
        unsure.clear();
        Map<Long, Messenger.Message> current = readAgain();
        boolean changed = false;
        for (Messenger.Message before : List.copyOf(watched.values())) {
            if (vault.state().locked()) {
                return changed;
            }
            Messenger.Message now = current.get(before.position());
            if (now == null) {
                forget(before.position());
                continue;
            }
            if (!now.state().equals(before.state())) {
                changed = true;
                sink.notify("message.state", state(now));
                watched.put(now.position(), now);
                unsure.add(now.position());
            }
            if (settled.contains(now.position())) {
                forget(now.position());
            }
        }
        return changed;
    }

    /** What is watched, as it is now, by position; those that stand close together in one read. */
    private Map<Long, Messenger.Message> readAgain() throws ProviderException {
        Map<Long, Messenger.Message> current = new HashMap<>();
        Long first = watched.isEmpty() ? null : watched.firstKey();
        while (first != null) {
            long last = first;
            Long next = watched.higherKey(last);
            while (next != null && next - last <= MOST_BETWEEN && next - first < PAGE) {
                last = next;
                next = watched.higherKey(last);
            }
            for (Messenger.Message message : messenger.messages(circle, account, first - 1, (int) (last - first + 1))) {
                current.put(message.position(), message);
            }
            first = next;
        }
        return current;
    }

    /** Whether nothing more is expected. */
    private static boolean isOver(Ledger.Entry entry) {
        return entry.state() == Ledger.State.READ || entry.state() == Ledger.State.FAILED;
    }

    private static boolean isCalm(Ledger.Entry entry) {
        return entry.relaysHave() >= entry.relaysAll()
                && (entry.state() == Ledger.State.AT_RELAYS || entry.state() == Ledger.State.DELIVERED);
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
