package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.relay.RelayArchive;
import im.parley.relay.RelayStatus;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
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
    private final RelayArchive archive;

    @Activate
    public RelayMethods(@Reference RelayStatus relay, @Reference RelayArchive archive) {
        this.relay = relay;
        this.archive = archive;
    }

    @Override
    public Set<String> names() {
        return Set.of("relay.status", "relay.export", "relay.import");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        return switch (call.method()) {
            case "relay.export" -> read(call);
            case "relay.import" -> take(call);
            default -> status();
        };
    }

    private Map<String, Object> read(Call call) throws ControlException, ProviderException {
        RelayArchive.Page page = archive.after(call.number("after", 0, Long.MAX_VALUE, 0));
        return Map.of("events", String.join("\n", page.events()), "next", page.next(), "last", page.last());
    }

    private Map<String, Object> take(Call call) throws ControlException, ProviderException {
        // Not as lines(): a carriage return alone is white space of JSON, not the end of a line.
        List<String> lines = List.of(call.text("events").stripTrailing().split("\n", -1));
        if (lines.size() > RelayArchive.MAX_LINES) {
            throw ControlException.of(
                    Kind.REJECTED,
                    "param.out-of-range",
                    "events has " + lines.size() + " lines; " + RelayArchive.MAX_LINES + " are allowed.");
        }
        RelayArchive.Report report = archive.take(lines);
        List<Map<String, Object>> refused = new ArrayList<>();
        for (RelayArchive.Refusal refusal : report.refused()) {
            refused.add(Map.of("line", refusal.index(), "code", refusal.code(), "reason", refusal.reason()));
        }
        return Map.of("stored", report.stored(), "known", report.known(), "gone", report.gone(), "refused", refused);
    }

    private Map<String, Object> status() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("connections", relay.connections());
        answer.put("subscriptions", relay.subscriptions());
        answer.put("stored", relay.stored());
        answer.put("drops", new TreeMap<>(relay.drops()));
        return answer;
    }
}
