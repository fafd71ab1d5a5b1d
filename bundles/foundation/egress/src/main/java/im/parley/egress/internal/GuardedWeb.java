package im.parley.egress.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.Web;
import im.parley.slot.EgressSource;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/** The {@link Web} of this node. A connection per document, a TLS session per connection. */
@Component(name = "im.parley.egress.web", service = Web.class)
public final class GuardedWeb implements Web {
    private static final int MOST = 1 << 20;
    private static final int MAX_LINE = 8_192;
    private static final int MAX_HEADERS = 100;

    private final EgressSource egress;
    private final SecureRandom random;
    private final @Nullable KeyStore anchors;
    /** Cuts whoever answers one byte at a time. */
    private final ScheduledThreadPoolExecutor deadlines;

    @Activate
    public GuardedWeb(@Reference EgressSource egress, @Reference SecureRandom random) {
        this(egress, random, null);
    }

    /** @param anchors whom to trust; null for those that the JDK was configured with */
    GuardedWeb(EgressSource egress, SecureRandom random, @Nullable KeyStore anchors) {
        this.egress = egress;
        this.random = random;
        this.anchors = anchors;
        deadlines = new ScheduledThreadPoolExecutor(1, work -> {
            Thread thread = new Thread(work, "parley-web-deadlines");
            thread.setDaemon(true);
            return thread;
        });
        deadlines.setRemoveOnCancelPolicy(true);
    }

    @Deactivate
    void deactivate() {
        deadlines.shutdownNow();
    }

    @Override
    public Answer get(Scope scope, URI address, int maxBytes, String reason, Duration timeout)
            throws ProviderException {
        if (!"https".equals(address.getScheme()) || address.getHost() == null || address.getRawUserInfo() != null) {
            throw new IllegalArgumentException("only https addresses of a host are fetched");
        }
        if (maxBytes < 1 || maxBytes > MOST) {
            throw new IllegalArgumentException("a document may have 1 to " + MOST + " bytes");
        }
        String host = address.getHost();
        int port = address.getPort() < 0 ? 443 : address.getPort();
        SocketChannel channel =
                egress.egressFor(scope, "im.parley.egress.web", null).connect(host, port, reason, timeout);
        AtomicBoolean late = new AtomicBoolean();
        ScheduledFuture<?> deadline = deadlines.schedule(
                () -> {
                    late.set(true);
                    close(channel);
                },
                timeout.toMillis(),
                TimeUnit.MILLISECONDS);
        try (SSLSocket socket = secured(channel, host, port)) {
            socket.startHandshake();
            socket.getOutputStream().write(request(address, host, port));
            return answer(new BufferedInputStream(socket.getInputStream()), maxBytes);
        } catch (IOException e) {
            throw late.get()
                    ? new ProviderException(Kind.TIMEOUT, "web.timeout", "The server did not answer in time.")
                    : failed(e);
        } finally {
            deadline.cancel(false);
            close(channel);
        }
    }

    private static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // It is of no use any more, closed or not.
            return;
        }
    }

    private SSLSocket secured(SocketChannel channel, String host, int port) throws IOException {
        try {
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(anchors);
            // A context of its own: a resumed session would tell the server that two look-ups come from one node.
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), random);
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(channel.socket(), host, port, true);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            return socket;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime has no TLS", e);
        }
    }

    private static byte[] request(URI address, String host, int port) {
        String path = address.getRawPath() == null || address.getRawPath().isEmpty() ? "/" : address.getRawPath();
        String query = address.getRawQuery() == null ? "" : "?" + address.getRawQuery();
        return ("GET " + path + query + " HTTP/1.1\r\nHost: " + host + (port == 443 ? "" : ":" + port)
                        + "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static Answer answer(InputStream in, int maxBytes) throws IOException, ProviderException {
        String[] status = line(in).split(" ", 3);
        if (status.length < 2 || !status[0].startsWith("HTTP/1.") || !status[1].matches("[1-5][0-9]{2}")) {
            throw new IOException("no HTTP");
        }
        long length = -1;
        boolean chunked = false;
        int headers = 0;
        for (String header = line(in); !header.isEmpty(); header = line(in)) {
            if (++headers > MAX_HEADERS) {
                throw new IOException("too many headers");
            }
            String lower = header.toLowerCase(Locale.ROOT);
            if (lower.startsWith("content-length:")) {
                length = number(lower.substring("content-length:".length()).strip(), 10);
            } else if (lower.startsWith("transfer-encoding:")) {
                chunked = lower.endsWith("chunked");
            }
        }
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        if (chunked) {
            for (long size = size(in); size > 0; size = size(in)) {
                read(in, size, body, maxBytes);
                line(in);
            }
        } else {
            read(in, length, body, maxBytes);
        }
        return new Answer(Integer.parseInt(status[1]), body.toByteArray());
    }

    private static long size(InputStream in) throws IOException {
        return number(line(in).split(";", 2)[0].strip(), 16);
    }

    private static long number(String text, int radix) throws IOException {
        try {
            long value = Long.parseLong(text, radix);
            if (value >= 0) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw new IOException("no length", e);
        }
        throw new IOException("no length");
    }

    /** @param length -1 for all there is */
    private static void read(InputStream in, long length, ByteArrayOutputStream body, int maxBytes)
            throws IOException, ProviderException {
        byte[] buffer = new byte[8_192];
        long left = length < 0 ? Long.MAX_VALUE : length;
        while (left > 0) {
            int count = in.read(buffer, 0, (int) Math.min(buffer.length, left));
            if (count < 0) {
                if (length < 0) {
                    return;
                }
                throw new IOException("the answer is cut off");
            }
            left -= count;
            if (body.size() + count > maxBytes) {
                throw new ProviderException(
                        Kind.EXHAUSTED, "web.too-large", "The server answers with more than " + maxBytes + " bytes.");
            }
            body.write(buffer, 0, count);
        }
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0 || line.length() > MAX_LINE) {
                throw new IOException("no HTTP");
            }
            line.append((char) b);
        }
        int end = line.length();
        return end > 0 && line.charAt(end - 1) == '\r' ? line.substring(0, end - 1) : line.toString();
    }

    private static ProviderException failed(IOException failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof CertificateException) {
                return new ProviderException(
                        Kind.UNAVAILABLE, "tls.untrusted", "The server's certificate is not trusted.");
            }
        }
        return new ProviderException(Kind.UNAVAILABLE, "web.failed", "The server did not answer as a web server does.");
    }
}
