package im.parley.relayclient;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Talks to relays as a client: one connection per persona and relay, made when first needed, kept while something is
 * subscribed, made again with back-off. Every event handed up was verified (id and signature) and matches the filter it
 * was asked with. The own relay is reached without a socket. Thread-safe; nothing blocks.
 */
@ProviderType
public interface RelayClient {
    /**
     * Publishes one event to one relay. Events published with the same persona to the same relay are sent in the order
     * of the calls. While the relay cannot be reached the event waits for it until the timeout, then the result is {@code
     * UNKNOWN}; publishing the same event again is harmless.
     *
     * @return never fails: what the relay said, or that nobody knows
     */
    CompletionStage<PublishResult> publish(Persona persona, URI relay, Event event, Duration timeout);

    /**
     * Fetches stored events once: pages to the end with {@code until} if the relay cuts, each event once. Of more events
     * in one second than the relay gives at a time, NIP-01 has no way to ask for the rest.
     *
     * @return newest first; fails with {@code ProviderException} {@code UNAVAILABLE}, {@code TIMEOUT}, {@code REJECTED
     *     relay.closed} or {@code EXHAUSTED relay.too-much} (20,000 events)
     */
    CompletionStage<List<Event>> fetch(Persona persona, URI relay, Filter filter, Duration timeout);

    /**
     * Keeps an inbox open: stored wraps since the frontier, then live ones, over reconnects, until closed. Since wraps
     * are back-dated up to 2 days, each sync asks from {@code frontier - 2 d - 1 h} and pages to the end.
     *
     * @param persona must have a signer (kind 1059 is served to its addressee only)
     */
    Subscription inbox(Persona persona, URI relay, InboxListener listener);

    /**
     * A circle is over: its connections end now instead of when they are idle, and what waits on them with them. Its owner
     * asks for nothing in it any more.
     */
    void end(Scope scope);

    /** What each connection is like now. */
    List<RelayHealth> health();

    /**
     * What relays sent and was not handed on, since the start: code to count. For example {@code event.bad-id}, {@code
     * event.bad-sig}, {@code event.unasked}, {@code frame.invalid}, {@code notice}.
     */
    Map<String, Long> drops();

    /** A subscription; closing it is idempotent and ends the calls to its listener. */
    interface Subscription extends AutoCloseable {
        @Override
        void close();
    }
}
