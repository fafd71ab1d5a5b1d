package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.RelayTransport;
import org.osgi.annotation.bundle.Header;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Fills the slot {@code transport} with {@link WebSocketTransport}. */
@Component(
        name = WebSocketProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=transport")
@Designate(ocd = WebSocketProvider.Config.class, factory = true)
@Header(name = "Parley-Hosts", value = "*")
public final class WebSocketProvider implements Provider<RelayTransport> {
    /** Factory PID. */
    public static final String PID = "im.parley.transport.websocket";

    /** Settings of one instance. */
    @ObjectClassDefinition(
            name = "Parley WebSocket transport",
            description = "Connections to relays (RFC 6455) through the egress.")
    public @interface Config {
        @AttributeDefinition(
                name = "Threads",
                description = "Threads shared by all connections of this instance, 4 to 64.")
        int threads() default 8;

        @AttributeDefinition(
                name = "Outbound bytes",
                description =
                        "What one connection may hold unsent before it refuses more, in bytes, 65536 to 67108864.")
        int outbound_bytes() default 4 << 20;
    }

    private final Settings settings;

    @Activate
    public WebSocketProvider(Config config) {
        settings = new Settings(config.threads(), config.outbound_bytes());
    }

    @Override
    public RelayTransport open(ProviderContext context) throws ProviderException {
        try {
            return new WebSocketTransport(context, settings, TlsEngines.systemTrust());
        } catch (Exception e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "transport.start",
                    "The WebSocket client could not start: " + e.getMessage() + ". Check memory and the trust store.",
                    e);
        }
    }

    /**
     * Checked settings.
     *
     * @param threads of the shared pool
     * @param outboundBytes unsent bytes that one channel holds at most
     */
    record Settings(int threads, int outboundBytes) {
        Settings {
            check("threads", threads, 4, 64);
            check("outbound.bytes", outboundBytes, 1 << 16, 1 << 26);
        }

        private static void check(String key, int value, int least, int most) {
            if (value < least || value > most) {
                throw new IllegalArgumentException(
                        PID + ": " + key + " is " + value + ", allowed is " + least + " to " + most);
            }
        }
    }
}
