package im.parley.policy.limits;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.policy.EventPolicy;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.metatype.annotations.Designate;

/** Fills the slot {@code policy.limits}. What it has counted begins anew when it is opened. */
@Component(
        name = LimitsPolicy.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=policy.limits")
@Designate(ocd = LimitsConfiguration.class, factory = true)
public final class LimitsPolicy implements Provider<EventPolicy> {
    static final String PID = "im.parley.policy.limits";

    private final LimitsSettings settings;

    /** @throws IllegalArgumentException naming what is out of its range; the instance is then no candidate */
    @Activate
    public LimitsPolicy(LimitsConfiguration configuration) {
        settings = LimitsSettings.of(configuration);
    }

    @Override
    public EventPolicy open(ProviderContext context) {
        return new Limits(settings, context.clock());
    }
}
