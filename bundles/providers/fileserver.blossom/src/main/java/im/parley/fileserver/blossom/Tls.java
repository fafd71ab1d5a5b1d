package im.parley.fileserver.blossom;

import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * TLS 1.2 or newer around a socket that is connected already; the chain and the name are checked by the JDK. Each connection
 * has a context of its own: a resumed session would tell a server that two connections come from one node.
 */
final class Tls {
    private final TrustManager[] trust;
    private final SecureRandom random;

    private Tls(TrustManager[] trust, SecureRandom random) {
        this.trust = trust;
        this.random = random;
    }

    /** With the trust anchors that the JDK was configured with. */
    static Tls systemTrust(SecureRandom random) throws GeneralSecurityException {
        return trusting(null, random);
    }

    static Tls trusting(@Nullable KeyStore anchors, SecureRandom random) throws GeneralSecurityException {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(anchors);
        return new Tls(factory.getTrustManagers(), random);
    }

    /** Handshakes; closing the result closes the socket. */
    Socket around(Socket connected, String host, int port) throws IOException {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust, random);
            // Connects nowhere: the socket comes from the egress.
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(connected, host, port, true);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            return socket;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime has no TLS", e);
        }
    }
}
