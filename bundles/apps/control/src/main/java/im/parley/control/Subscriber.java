package im.parley.control;

import java.util.Map;

/** The connection a call came over, as far as a method may use it. Thread-safe. */
public interface Subscriber {
    /**
     * Starts work that lives at most as long as the connection, once per connection.
     *
     * @return false if something was started already
     */
    boolean start(Feed feed);

    /** What runs on a thread of its own until it returns, fails, or the connection ends and interrupts it. */
    @FunctionalInterface
    interface Feed {
        void run(Sink sink) throws Exception;
    }

    /** Sends a notification; blocks while the client does not read, fails when the connection is gone. */
    @FunctionalInterface
    interface Sink {
        void notify(String method, Map<String, Object> params) throws java.io.IOException;
    }
}
