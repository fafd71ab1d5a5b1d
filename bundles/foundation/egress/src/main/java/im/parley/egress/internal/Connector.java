package im.parley.egress.internal;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/** The one place that opens a socket outwards; a seam, so that tests count what would have left the machine. */
@FunctionalInterface
interface Connector {
    SocketChannel connect(InetSocketAddress address, Duration timeout) throws IOException;

    /** The real one. */
    static SocketChannel tcp(InetSocketAddress address, Duration timeout) throws IOException {
        SocketChannel channel = SocketChannel.open();
        boolean connected = false;
        try {
            channel.socket().setTcpNoDelay(true);
            channel.socket().setKeepAlive(true);
            channel.socket().connect(address, (int) Math.max(1, Math.min(timeout.toMillis(), Integer.MAX_VALUE)));
            connected = true;
            return channel;
        } finally {
            if (!connected) {
                channel.close();
            }
        }
    }
}
