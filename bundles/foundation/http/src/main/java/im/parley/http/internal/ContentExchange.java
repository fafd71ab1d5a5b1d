package im.parley.http.internal;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EofException;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Blocker;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;

/** One exchange on a thread of its own. Only {@link #cut} is for other threads. */
final class ContentExchange implements ContentRoute.Exchange {
    /** What is read of a body that nobody wanted, so that a client that is still sending gets to read its answer. */
    private static final int MAX_DRAIN_BYTES = 1 << 20;

    private static final int DRAIN_BUFFER = 8 * 1024;

    private final HttpRoute.Request asked;
    private final Request request;
    private final Response response;
    private final boolean head;
    private final Body body;
    private final Pace pace;
    private @Nullable Output output;
    private volatile boolean cut;

    ContentExchange(HttpRoute.Request asked, Request request, Response response, long minBytesPerSecond) {
        this.asked = asked;
        this.request = request;
        this.response = response;
        this.head = HttpMethod.HEAD.is(asked.method());
        this.body = new Body(Content.Source.asInputStream(request), new Pace(minBytesPerSecond));
        this.pace = new Pace(minBytesPerSecond);
    }

    @Override
    public HttpRoute.Request request() {
        return asked;
    }

    @Override
    public String query() {
        String query = request.getHttpURI().getQuery();
        return query == null ? "" : query;
    }

    @Override
    public long contentLength() {
        return request.getLength();
    }

    @Override
    public InputStream body() {
        return body;
    }

    @Override
    public void answer(HttpRoute.Answer answer) throws IOException {
        OutputStream out = answer(answer.status(), answer.headers(), answer.body().length);
        out.write(answer.body());
    }

    @Override
    public OutputStream answer(int status, Map<String, String> headers, long length) throws IOException {
        if (output != null) {
            throw new IllegalStateException("this request was answered already");
        }
        response.setStatus(status);
        headers.forEach((name, value) -> response.getHeaders().put(name, value));
        boolean bodyless = status == 204 || status == 304 || status < 200;
        if (!bodyless) {
            response.getHeaders().put(HttpHeader.CONTENT_LENGTH, length);
        }
        Output begun = new Output(head || bodyless ? 0 : length, head || bodyless);
        output = begun;
        return begun;
    }

    @Override
    public boolean answered() {
        return output != null;
    }

    /** The answer is complete: sends what is left of it. */
    void complete(Callback callback) {
        Output done = output;
        if (done == null || done.left > 0) {
            callback.failed(new IOException("the answer has fewer bytes than it announced"));
            return;
        }
        drain();
        response.write(true, null, callback);
    }

    /** Whoever refuses an upload does not read it; a connection that is closed on a sender loses the answer. */
    private void drain() {
        boolean asksFirst = request.getHeaders().contains(HttpHeader.EXPECT);
        if (body.ended || asksFirst && !body.touched || request.getLength() == 0) {
            return;
        }
        byte[] buffer = new byte[DRAIN_BUFFER];
        int drained = 0;
        try {
            while (drained < MAX_DRAIN_BYTES) {
                int n = body.read(buffer, 0, buffer.length);
                if (n < 0) {
                    return;
                }
                drained += n;
            }
        } catch (IOException e) {
            // The answer is out; Jetty closes the connection of a body that was not read.
            return;
        }
    }

    /** Ends it from outside: whatever waits for the client wakes up. */
    void cut() {
        cut = true;
        request.getConnectionMetaData().getConnection().getEndPoint().close(new EofException("the service stops"));
    }

    private void checkNotCut() throws IOException {
        if (cut) {
            throw new IOException("the service stops");
        }
    }

    /** What a client has to keep up with, after a while that everybody gets. */
    static final class Pace {
        static final long GRACE_NANOS = 30_000_000_000L;
        private static final long SECOND = 1_000_000_000L;

        private final long minBytesPerSecond;
        /** Waiting for the client, and for nothing else. */
        private long waitedNanos;

        private long bytes;

        Pace(long minBytesPerSecond) {
            this.minBytesPerSecond = minBytesPerSecond;
        }

        void moved(int more, long nanos) throws IOException {
            bytes += Math.max(0, more);
            waitedNanos += nanos;
            if (waitedNanos > GRACE_NANOS && bytes < waitedNanos / SECOND * minBytesPerSecond) {
                throw new IOException("the client is too slow");
            }
        }
    }

    private final class Body extends InputStream {
        private final InputStream in;
        private final Pace inward;
        private boolean touched;
        private boolean ended;

        Body(InputStream in, Pace inward) {
            this.in = in;
            this.inward = inward;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            int n = read(one, 0, 1);
            return n < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws IOException {
            checkNotCut();
            touched = true;
            long before = System.nanoTime();
            int n = in.read(buffer, from, length);
            inward.moved(n, System.nanoTime() - before);
            ended = n < 0;
            return n;
        }
    }

    private final class Output extends OutputStream {
        private final boolean discards;
        private long left;

        Output(long length, boolean discards) {
            this.left = length;
            this.discards = discards;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] buffer, int from, int length) throws IOException {
            checkNotCut();
            if (discards || length == 0) {
                return;
            }
            if (length > left) {
                throw new IOException("the answer has more bytes than it announced");
            }
            left -= length;
            long before = System.nanoTime();
            try (Blocker.Callback written = Blocker.callback()) {
                response.write(false, ByteBuffer.wrap(buffer, from, length), written);
                written.block();
            }
            pace.moved(length, System.nanoTime() - before);
        }
    }
}
