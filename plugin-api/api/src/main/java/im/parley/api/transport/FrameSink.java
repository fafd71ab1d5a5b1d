package im.parley.api.transport;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * The receiving half of a channel. Calls for one channel never overlap and keep wire order; {@code closed} is the last.
 * Must not block for long: reading pauses until {@code text} returns.
 */
@ConsumerType
public interface FrameSink {
    /** One whole text frame, valid UTF-8, at most {@link Limits#maxFrameBytes} bytes. */
    void text(String frame);

    /**
     * When this side can take more. Who has much to say (the stored events of a subscription, a socket that reads) asks
     * after each {@link #text} and goes on when the stage completes, so that a slow receiver costs neither memory nor a
     * waiting thread. A few frames sent without asking do no harm; a receiver that is flooded may close.
     *
     * @return never fails and completes at the latest when the channel ends; already complete unless overridden
     */
    default CompletionStage<Void> ready() {
        return CompletableFuture.completedFuture(null);
    }

    /** The channel ended, for whatever reason; called exactly once. */
    void closed(int code, String reason);
}
