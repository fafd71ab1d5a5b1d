package im.parley.api.transport;

import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ProviderType;

/** The sending half of an open channel. Thread-safe; frames keep the order in which {@code send} was called. */
@ProviderType
public interface Channel {
    /** Normal end, RFC 6455 section 7.4.1. */
    int NORMAL = 1000;
    /** The endpoint is going away. */
    int GOING_AWAY = 1001;
    /** Closed without a close frame; never sent. */
    int ABNORMAL = 1006;
    /** Policy violation. */
    int POLICY = 1008;
    /** A frame was too big. */
    int TOO_BIG = 1009;

    /**
     * Queues a text frame. Does not block.
     *
     * @return completes when the frame left this side (not when the peer read it); fails with {@code ProviderException}
     *     {@code UNAVAILABLE channel.closed} or {@code EXHAUSTED channel.full}
     */
    CompletionStage<Void> send(String text);

    /**
     * Closes; frames already queued are still tried. Calling it again does nothing. {@link FrameSink#closed} follows.
     *
     * @param code RFC 6455 close code
     * @param reason at most 123 bytes of UTF-8; longer text is cut
     */
    void close(int code, String reason);
}
