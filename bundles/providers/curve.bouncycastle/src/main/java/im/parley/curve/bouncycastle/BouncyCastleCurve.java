package im.parley.curve.bouncycastle;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;

/** Fills the slot {@code curve} with {@link BouncyCastleSecp256k1}, which needs nothing from its context. */
@Component(
        name = BouncyCastleCurve.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=curve")
public final class BouncyCastleCurve implements Provider<Secp256k1> {
    /** Factory PID; has no properties of its own. */
    public static final String PID = "im.parley.curve.bouncycastle";

    @Activate
    public BouncyCastleCurve() {}

    @Override
    public Secp256k1 open(ProviderContext context) {
        return new BouncyCastleSecp256k1();
    }
}
