package im.parley.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;
import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Answers every path of one listener that no {@link HttpRoute} has, and reads and writes bodies of any size as streams;
 * registered as a service with the property {@link HttpRoute#LISTENER}. Thread-safe.
 */
@ConsumerType
public interface ContentRoute {
    /**
     * Serves one request. Called on a thread of its own out of a bounded pool, so it may block on disk and on the client.
     * When it returns without an answer, or throws before one, the client gets 500; when it throws later, or has written
     * less than it announced, the connection is cut, so that nobody takes a part for the whole.
     *
     * @throws IOException what a stream of the exchange threw: the client went away or was too slow
     */
    void serve(Exchange exchange) throws IOException;

    /** One request and its answer; used by one thread, and not after {@link #serve} returned. */
    @ProviderType
    interface Exchange {
        /** The path is as sent, not decoded; one that could be understood in two ways does not come this far. */
        HttpRoute.Request request();

        /** What stands behind the question mark, as sent; empty if there is none. */
        String query();

        /** Of the body; -1 if the client does not say. */
        long contentLength();

        /**
         * The body. A read throws {@link IOException} when the client goes away, is silent for too long, or is slower than
         * the server bears in the long run.
         */
        InputStream body();

        /** Answers with bytes at hand. Once, unless {@link #answer(int, Map, long)} did. */
        void answer(HttpRoute.Answer answer) throws IOException;

        /**
         * Begins an answer of that many bytes. What is written to a request for HEAD is thrown away.
         *
         * @param headers as to be sent; {@code Content-Length} is added
         */
        OutputStream answer(int status, Map<String, String> headers, long length) throws IOException;

        /** Whether an answer was begun. */
        boolean answered();
    }
}
