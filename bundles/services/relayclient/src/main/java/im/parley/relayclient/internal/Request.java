package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;

/**
 * One REQ on the wire. The calls come in wire order on the connection's {@link Serial}; every event was verified and
 * matches the filter.
 */
abstract class Request {
    final Filter filter;
    /** Whether we had authenticated when it was sent. Set by the connection. */
    boolean authenticated;

    Request(Filter filter) {
        this.filter = filter;
    }

    abstract void event(Event event);

    abstract void endOfStored();

    /** The relay ended it; nothing follows. */
    abstract void closed(String message);
}
