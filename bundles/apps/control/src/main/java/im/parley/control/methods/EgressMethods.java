package im.parley.control.methods;

import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.egress.EgressControl;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** What left this machine, for whom and why. */
@Component(name = "im.parley.control.egress", service = MethodGroup.class)
public final class EgressMethods implements MethodGroup {
    private final EgressControl egress;

    @Activate
    public EgressMethods(@Reference EgressControl egress) {
        this.egress = egress;
    }

    @Override
    public Set<String> names() {
        return Set.of("egress.log");
    }

    @Override
    public Map<String, Object> call(Call call) throws ControlException {
        List<Map<String, Object>> entries = new ArrayList<>();
        for (EgressControl.Entry entry : egress.log((int) call.number("limit", 1, 1000, 50))) {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("at", entry.at().toEpochMilli());
            shown.put("scope", entry.scope());
            shown.put("reason", entry.reason());
            shown.put("host", entry.host());
            shown.put("port", entry.port());
            shown.put("address", entry.address());
            shown.put("outcome", entry.outcome());
            shown.put("named", entry.named());
            entries.add(shown);
        }
        return Map.of("entries", entries);
    }
}
