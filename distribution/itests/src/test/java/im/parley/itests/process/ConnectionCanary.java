package im.parley.itests.process;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/** A port of this machine where nobody is expected; counts who comes all the same. */
final class ConnectionCanary implements AutoCloseable {
    private final ServerSocket server;
    private final AtomicInteger visits = new AtomicInteger();

    /** @param port 0 for a free one */
    ConnectionCanary(String host, int port) throws IOException {
        server = new ServerSocket();
        try {
            server.bind(new InetSocketAddress(InetAddress.getByName(host), port), 256);
        } catch (IOException e) {
            server.close();
            throw e;
        }
        Thread thread = new Thread(this::listen, "canary " + host);
        thread.setDaemon(true);
        thread.start();
    }

    int port() {
        return server.getLocalPort();
    }

    int visits() {
        return visits.get();
    }

    /** Comes by itself and waits until it was counted; so were all that came before, as connections wait in a row. */
    int visitsWithMine() throws Exception {
        try (Socket mine = new Socket(server.getInetAddress(), server.getLocalPort())) {
            mine.setSoTimeout(60_000);
            int end = mine.getInputStream().read();
            if (end >= 0) {
                throw new IOException("a canary says nothing");
            }
        }
        return visits.get();
    }

    private void listen() {
        while (!server.isClosed()) {
            try (Socket visitor = server.accept()) {
                visits.incrementAndGet();
            } catch (IOException closed) {
                continue;
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
