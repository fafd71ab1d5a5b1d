package im.parley.control;

import im.parley.api.lifecycle.ProviderException;
import java.util.Map;
import java.util.Set;

/**
 * Some methods of the schema; registered as a service, only inside this bundle. Thread-safe; called on the caller's
 * connection thread and may block.
 */
public interface MethodGroup {
    /** The names it serves. */
    Set<String> names();

    /**
     * Does one call; the result has the shape that the schema says.
     *
     * @throws ProviderException as the service below refused it
     * @throws ControlException as this app refuses it
     */
    Map<String, Object> call(Call call) throws ProviderException, ControlException;
}
