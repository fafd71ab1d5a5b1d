package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.protocol.Frames;
import im.parley.relayclient.PublishResult;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One event on its way to one relay, and everybody who waits for it. Lives on the connection's {@link Serial}. */
final class Publishing {
    /** One call of {@code publish}. */
    static final class Waiter {
        final CompletableFuture<PublishResult> result;
        Timers.@Nullable Timer timer;

        Waiter(CompletableFuture<PublishResult> result) {
            this.result = result;
        }
    }

    final Event event;
    final String frame;
    final List<Waiter> waiters = new ArrayList<>();
    boolean sent;
    /** The refusal that AUTH may lift; null if there was none. */
    @Nullable
    PublishResult heldBack;

    boolean triedWithAuth;

    Publishing(Event event) {
        this.event = event;
        this.frame = Frames.publish(event);
    }
}
