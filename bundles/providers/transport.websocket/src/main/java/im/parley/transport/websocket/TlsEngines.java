package im.parley.transport.websocket;

import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.jspecify.annotations.Nullable;

/**
 * Makes a TLS engine per connection: TLS 1.2 or newer, the certificate chain and the host name checked by the JDK.
 *
 * <p>Each engine has a context of its own. A shared one would resume sessions, and a resumed session tells the relay
 * that two connections, meant to be strangers, come from the same node.
 */
final class TlsEngines extends SslContextFactory.Client {
    private final TrustManager[] trust;
    private final SecureRandom random;

    TlsEngines(TrustManager[] trust, SecureRandom random) throws GeneralSecurityException {
        this.trust = trust.clone();
        this.random = random;
        setSslContext(freshContext());
    }

    /** The trust anchors that the JDK was configured with. */
    static TrustManager[] systemTrust() throws GeneralSecurityException {
        return trust(null);
    }

    static TrustManager[] trust(@Nullable KeyStore anchors) throws GeneralSecurityException {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(anchors);
        return factory.getTrustManagers();
    }

    @Override
    public SSLEngine newSSLEngine(String host, int port) {
        try {
            SSLEngine engine = freshContext().createSSLEngine(host, port);
            engine.setUseClientMode(true);
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            engine.setSSLParameters(parameters);
            return engine;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime has no TLS", e);
        }
    }

    private SSLContext freshContext() throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust, random);
        return context;
    }
}
