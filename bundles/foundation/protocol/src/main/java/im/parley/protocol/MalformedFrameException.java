package im.parley.protocol;

import im.parley.api.event.EventId;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A client's frame that breaks the grammar, with what a relay needs to answer it: {@code OK false} if {@link #event()} is
 * there, {@code CLOSED} if {@link #subscription()} is there, {@code NOTICE} otherwise. At most one of the two is present.
 * Both are what the sender wrote, nothing about them is proven.
 */
public final class MalformedFrameException extends ProtocolException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable EventId event;
    private final @Nullable String subscription;

    MalformedFrameException(ProtocolException fault, @Nullable EventId event, @Nullable String subscription) {
        super(fault.token(), String.valueOf(fault.getMessage()));
        this.event = event;
        this.subscription = subscription;
    }

    /** The first {@code id} in the event of an EVENT or AUTH frame, if it is 64 lower-case hex digits. */
    public Optional<EventId> event() {
        return Optional.ofNullable(event);
    }

    /** The subscription or query id of any other known frame, if it is a legal one. */
    public Optional<String> subscription() {
        return Optional.ofNullable(subscription);
    }

    /** The answer that NIP-01 asks for, ready to send. */
    public String answer() {
        if (event != null) {
            return Frames.ok(event, false, wireReason());
        }
        return subscription != null ? Frames.closed(subscription, wireReason()) : Frames.notice(wireReason());
    }
}
