package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.relayclient.RelayClient;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One request that stays open. Lives on the connection's {@link Serial}; its owner is called on a lane of its own. */
final class LiveSession implements RelayClient.Subscription {
    private static final Logger LOG = LoggerFactory.getLogger(LiveSession.class);
    private static final int MAX_WAITING = 256;

    private final RelayConnection connection;
    private final Wiring wiring;
    private final Filter filter;
    private final Consumer<Event> listener;
    private final Serial lane;
    private volatile boolean closed;
    private @Nullable String request;

    LiveSession(RelayConnection connection, Wiring wiring, Filter filter, Consumer<Event> listener) {
        this.connection = connection;
        this.wiring = wiring;
        this.filter = filter;
        this.listener = listener;
        this.lane = new Serial(wiring.owners(), wiring.drops());
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            connection.post(() -> connection.remove(this));
        }
    }

    void start() {
        stop();
        request = connection.open(new Request(filter) {
            @Override
            void event(Event event) {
                arrived(event);
            }

            @Override
            void endOfStored() {
                connection.succeeded();
            }

            @Override
            void closed(String message) {
                request = null;
                RelayConnection.AuthStep step =
                        Answers.wantsAuth(message) ? connection.authFor(authenticated) : RelayConnection.AuthStep.NO;
                switch (step) {
                    case RETRY -> start();
                    // The connection starts everything anew once it has said who it is.
                    case WAIT -> {}
                    case NO -> connection.refused(FetchRun.refused(message));
                }
            }
        });
    }

    void stop() {
        String open = request;
        request = null;
        if (open != null) {
            connection.close(open);
        }
    }

    private void arrived(Event event) {
        if (lane.backlog() > MAX_WAITING) {
            wiring.drops().count("live.overrun");
            return;
        }
        lane.execute(() -> {
            if (!closed) {
                try {
                    listener.accept(event);
                } catch (RuntimeException e) {
                    LOG.warn("An event was of no use to who asked for it.", e);
                }
            }
        });
    }
}
