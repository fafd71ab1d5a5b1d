package im.parley.slot.internal;

import java.security.SecureRandom;
import org.osgi.service.component.annotations.Component;

/** The one place that makes a random source; everybody else is handed this service. */
@Component(immediate = true, service = SecureRandom.class)
public final class SystemRandom extends SecureRandom {
    private static final long serialVersionUID = 1L;
}
