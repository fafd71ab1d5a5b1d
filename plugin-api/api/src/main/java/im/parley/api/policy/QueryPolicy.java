package im.parley.api.policy;

import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Says which queries a relay answers; as {@link EventPolicy}, but asked once per REQ and COUNT. A verdict is about the
 * whole query: the read guard of the core decides about each event that it brings.
 */
@ConsumerType
public interface QueryPolicy {
    /**
     * @param filters as the client sent them, at least one
     * @throws ProviderException if it cannot be judged; the query is refused with {@code error:}
     */
    Verdict judge(List<Filter> filters, Client client) throws ProviderException;
}
