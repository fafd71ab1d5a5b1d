package im.parley.outbox.internal;

import java.net.URI;

/** One relay that shall get one event. Confined to the circle's loop. */
final class Target {
    /** What the relay has said for good. */
    enum Status {
        /** Not yet anything that lasts. */
        OPEN,
        ACCEPTED,
        REFUSED
    }

    final URI relay;
    Status status = Status.OPEN;
    /** Stable code of the last failure; empty if there was none. */
    String reason = "";
    /** The relay wants to know who publishes. */
    boolean identified;
    /** Never sent to before, or the user would have to name this private address first. */
    boolean privateAddress;

    int attempts;
    boolean inFlight;
    /** By the monotonic clock. */
    long notBefore = Long.MIN_VALUE;

    Target(URI relay) {
        this.relay = relay;
    }

    boolean open() {
        return status == Status.OPEN;
    }
}
