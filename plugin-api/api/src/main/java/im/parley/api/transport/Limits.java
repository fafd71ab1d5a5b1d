package im.parley.api.transport;

import java.time.Duration;

/**
 * Bounds of one channel.
 *
 * @param maxFrameBytes larger frames end the channel with 1009
 * @param connectTimeout for name, TCP, TLS and upgrade together
 * @param idleTimeout silence after which the transport pings, and gives up when that is not answered either
 */
public record Limits(int maxFrameBytes, Duration connectTimeout, Duration idleTimeout) {
    /** 1 MiB frames, 10 s to connect, 60 s of silence. */
    public static final Limits DEFAULT = new Limits(1 << 20, Duration.ofSeconds(10), Duration.ofSeconds(60));

    public Limits {
        if (maxFrameBytes < 1024) {
            throw new IllegalArgumentException("maxFrameBytes must be 1024 or more");
        }
    }
}
