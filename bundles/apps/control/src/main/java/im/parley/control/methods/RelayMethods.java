package im.parley.control.methods;

import im.parley.control.Call;
import im.parley.control.MethodGroup;
import im.parley.relay.RelayStatus;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** The node's own relay, for its operator. */
@Component(name = "im.parley.control.relay", service = MethodGroup.class)
public final class RelayMethods implements MethodGroup {
    private final RelayStatus relay;

    @Activate
    public RelayMethods(@Reference RelayStatus relay) {
        this.relay = relay;
    }

    @Override
    public Set<String> names() {
        return Set.of("relay.status");
    }

    @Override
    public Map<String, Object> call(Call call) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("connections", relay.connections());
        answer.put("subscriptions", relay.subscriptions());
        answer.put("stored", relay.stored());
        answer.put("drops", new TreeMap<>(relay.drops()));
        return answer;
    }
}
