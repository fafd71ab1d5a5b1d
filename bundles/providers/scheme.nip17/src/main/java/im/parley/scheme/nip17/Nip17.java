package im.parley.scheme.nip17;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.scheme.EncryptionScheme;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;

/** Fills the slot {@code scheme} with {@link Nip17Scheme}, which needs nothing from its context. */
@Component(
        name = Nip17.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=scheme")
public final class Nip17 implements Provider<EncryptionScheme> {
    /** Factory PID; has no properties of its own. */
    public static final String PID = "im.parley.scheme.nip17";

    @Activate
    public Nip17() {}

    @Override
    public EncryptionScheme open(ProviderContext context) {
        return new Nip17Scheme();
    }
}
