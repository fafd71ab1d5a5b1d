package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.Kinds;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One fetch, page after page. Lives on the connection's {@link Serial}. */
final class FetchRun {
    private static final int MAX_EVENTS = 20_000;
    private static final long MAX_BYTES = 64L << 20;
    /** A list of somebody's relays is short, and which relay is asked for it may have been named by a stranger. */
    private static final int MAX_LIST_BYTES = 64 << 10;

    private static final Set<Integer> LISTS = Set.of(Kinds.RELAY_LIST, Kinds.DM_RELAYS);
    private static final int TOLERATED = 4;

    private final RelayConnection connection;
    private final Wiring wiring;
    private final Filter filter;
    private final CompletableFuture<List<Event>> result;
    private final boolean lists;
    private Paging paging;
    private @Nullable String request;
    private boolean waitsForAuth;
    private Timers.@Nullable Timer timer;

    FetchRun(RelayConnection connection, Wiring wiring, Filter filter, CompletableFuture<List<Event>> result) {
        this.connection = connection;
        this.wiring = wiring;
        this.filter = filter;
        this.result = result;
        this.lists = filter.kinds() != null && LISTS.containsAll(filter.kinds());
        this.paging = new Paging(filter, TOLERATED);
    }

    void expiresBy(Timers.Timer timeout) {
        timer = timeout;
    }

    /** The connection is ready; starts from the beginning. */
    void start() {
        stop();
        waitsForAuth = false;
        paging = new Paging(filter, TOLERATED);
        if (paging.asksForNothing()) {
            succeed();
            return;
        }
        page();
    }

    boolean waitsForAuth() {
        return waitsForAuth;
    }

    private void page() {
        request = connection.open(new Request(paging.next()) {
            @Override
            void event(Event event) {
                if (lists && Paging.size(event) > MAX_LIST_BYTES) {
                    wiring.drops().count("event.too-large");
                    return;
                }
                switch (paging.add(event)) {
                    case YES -> {}
                    case ASK_FOR_LESS -> {
                        stop();
                        page();
                    }
                    case TOO_MUCH -> connection.misbehaves();
                }
            }

            @Override
            void endOfStored() {
                stop();
                boolean more = paging.endPage();
                if (paging.total() > MAX_EVENTS || paging.heldBytes() > MAX_BYTES) {
                    fail(new ProviderException(
                            Kind.EXHAUSTED,
                            "relay.too-much",
                            "The relay has more events than one query may return. Ask for less at a time."));
                } else if (more) {
                    page();
                } else {
                    succeed();
                }
            }

            @Override
            void closed(String message) {
                request = null;
                RelayConnection.AuthStep step =
                        Answers.wantsAuth(message) ? connection.authFor(authenticated) : RelayConnection.AuthStep.NO;
                switch (step) {
                    case RETRY -> FetchRun.this.start();
                    case WAIT -> waitsForAuth = true;
                    case NO -> fail(refused(message));
                }
            }
        });
    }

    /** AUTH did not work out, so what waited for it is refused. */
    void authFailed(ProviderException reason) {
        fail(reason);
    }

    static ProviderException refused(String message) {
        String text = Answers.clean(message);
        return new ProviderException(
                Kind.REJECTED,
                "relay.closed",
                "The relay refused the query: " + (text.isEmpty() ? "it gave no reason" : text) + ".");
    }

    void stop() {
        String open = request;
        request = null;
        if (open != null) {
            connection.close(open);
        }
    }

    private void succeed() {
        List<Event> events = paging.take();
        connection.succeeded();
        end(() -> result.complete(events));
    }

    void fail(ProviderException reason) {
        end(() -> result.completeExceptionally(reason));
    }

    private void end(Runnable completion) {
        stop();
        RelayConnection.cancel(timer);
        connection.ended(this);
        wiring.owners().execute(completion);
    }
}
