package im.parley.control;

import im.parley.api.lifecycle.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One client: its requests in order on one thread, its feed, if it asked for one, on another. */
final class Connection implements Runnable, Subscriber, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    private final ByteChannel channel;
    private final Dispatcher dispatcher;
    private final Executor threads;
    private final Object writing = new Object();
    private boolean started;
    private boolean ended;
    private @Nullable Thread feeder;

    Connection(ByteChannel channel, Dispatcher dispatcher, Executor threads) {
        this.channel = channel;
        this.dispatcher = dispatcher;
        this.threads = threads;
    }

    @Override
    public void run() {
        try (LineReader lines = new LineReader(channel, Protocol.MAX_LINE_BYTES)) {
            LineReader.Found found = lines.next();
            while (found == LineReader.Found.LINE) {
                byte[] answer = dispatcher.answer(lines.bytes(), lines.length(), this);
                if (answer != null) {
                    write(answer);
                }
                found = lines.next();
            }
            if (found == LineReader.Found.TOO_LONG) {
                write(Answers.error(
                        null,
                        "The request was not read.",
                        new ControlException(
                                Protocol.INVALID_REQUEST,
                                Kind.REJECTED,
                                "request.too-long",
                                "It is longer than " + Protocol.MAX_LINE_BYTES + " bytes.")));
            }
        } catch (IOException e) {
            LOG.debug("a control connection ended: {}", e.toString());
        } finally {
            close();
        }
    }

    private void write(byte[] line) throws IOException {
        synchronized (writing) {
            ByteBuffer bytes = ByteBuffer.wrap(line);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    @Override
    public boolean start(Feed feed) {
        synchronized (this) {
            if (started) {
                return false;
            }
            started = true;
        }
        try {
            threads.execute(() -> feed(feed));
            return true;
        } catch (RejectedExecutionException stopping) {
            return false;
        }
    }

    private void feed(Feed feed) {
        synchronized (this) {
            if (ended) {
                return;
            }
            feeder = Thread.currentThread();
        }
        try {
            feed.run(this::sendNotification);
        } catch (InterruptedException | IOException e) {
            LOG.debug("a control feed ended: {}", e.toString());
        } catch (Exception e) {
            LOG.warn("a control feed failed", e);
        } finally {
            synchronized (this) {
                feeder = null;
                // The interrupt that ended this feed must not meet the pool's next one.
                Thread.interrupted();
            }
            close();
        }
    }

    private void sendNotification(String method, Map<String, Object> params) throws IOException {
        write(Answers.notification(method, params));
    }

    /** Ends both threads. Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            ended = true;
            if (feeder != null) {
                feeder.interrupt();
            }
        }
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("closing a control connection: {}", e.toString());
        }
    }
}
