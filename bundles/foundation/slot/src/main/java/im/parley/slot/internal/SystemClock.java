package im.parley.slot.internal;

import java.time.Clock;
import java.time.Instant;
import java.time.InstantSource;
import org.osgi.service.component.annotations.Component;

/** The one place that reads the machine's clock; everybody else is handed this service. */
@Component(immediate = true)
public final class SystemClock implements InstantSource {
    private final Clock clock = Clock.systemUTC();

    @Override
    public Instant instant() {
        return clock.instant();
    }
}
