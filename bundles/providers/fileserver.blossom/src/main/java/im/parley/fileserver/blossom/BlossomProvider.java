package im.parley.fileserver.blossom;

import im.parley.api.blobs.FileServer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import org.osgi.annotation.bundle.Header;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Fills the slot {@code fileserver} with a client of Blossom servers. */
@Component(
        name = BlossomProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=fileserver")
@Designate(ocd = BlossomProvider.Config.class, factory = true)
@Header(name = "Parley-Hosts", value = "*")
public final class BlossomProvider implements Provider<FileServer> {
    static final String PID = "im.parley.fileserver.blossom";

    private final Settings settings;

    @Activate
    public BlossomProvider(Config config) {
        check("pieceMiB", config.pieceMiB(), 1, 1_024);
        check("silenceSeconds", config.silenceSeconds(), 5, 600);
        settings = new Settings((long) config.pieceMiB() << 20, Duration.ofSeconds(config.silenceSeconds()));
    }

    private static void check(String key, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(PID + " " + key + "=" + value + " is not in " + least + ".." + most);
        }
    }

    @Override
    public FileServer open(ProviderContext context) throws ProviderException {
        try {
            return new BlossomFileServer(context, settings, Tls.systemTrust(context.random()));
        } catch (GeneralSecurityException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "fileserver.tls",
                    "This Java runtime cannot make secure connections. See whether its trust store is there.",
                    e);
        }
    }

    /**
     * Checked settings.
     *
     * @param pieceBytes of an upload that can go on where it broke off
     * @param silence after which a server is given up
     */
    record Settings(long pieceBytes, Duration silence) {}

    /** What an operator may set. */
    @ObjectClassDefinition(
            id = BlossomProvider.PID,
            name = "Parley: Blossom servers",
            description = "How this node speaks with file servers.")
    @interface Config {
        @AttributeDefinition(
                name = "Piece",
                description = "MiB of a piece of an upload that goes on where it broke off, 1 to 1024.")
        int pieceMiB() default 32;

        @AttributeDefinition(
                name = "Silence",
                description = "Seconds after which a silent server is given up, 5 to 600.")
        int silenceSeconds() default 60;
    }
}
