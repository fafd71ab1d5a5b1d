package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * What the node is made of, and changing it. The launcher does it: it stands outside the framework and shares no classes
 * with bundles, so it is a {@code Function} between maps of JDK types.
 */
@Component(name = "im.parley.control.stack", service = MethodGroup.class)
public final class StackMethods implements MethodGroup {
    private static final String OPERATOR = "operator";

    private final Function<Map<String, Object>, Map<String, Object>> launcher;

    @Activate
    public StackMethods(
            @Reference(target = "(parley.stack=plugins)") Function<Map<String, Object>, Map<String, Object>> launcher) {
        this.launcher = launcher;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "stack.show",
                "stack.export",
                "stack.plan",
                "stack.apply",
                "stack.undo",
                "plugin.list",
                "plugin.plan",
                "plugin.install",
                "plugin.upgrade",
                "plugin.remove");
    }

    @Override
    public Map<String, Object> call(Call call) throws ControlException {
        return switch (call.method()) {
            case "stack.show" -> ask(request(call, "show", ""));
            case "stack.export" -> ask(request(call, "export", ""));
            case "stack.plan" -> ask(request(call, "plan", "apply"));
            case "stack.apply" -> ask(request(call, "act", "apply"));
            case "stack.undo" -> ask(request(call, "undo", ""));
            case "plugin.list" ->
                Map.of("plugins", ask(request(call, "show", "")).get("plugins"));
            case "plugin.plan" -> ask(request(call, "plan", act(call)));
            case "plugin.install" -> ask(request(call, "act", "install"));
            case "plugin.upgrade" -> ask(request(call, "act", "upgrade"));
            default -> ask(request(call, "act", "remove"));
        };
    }

    private static String act(Call call) throws ControlException {
        String act = call.text("act");
        boolean known = Set.of("install", "upgrade", "remove").contains(act);
        if (!known || !call.has(act.equals("remove") ? "plugin" : "file")) {
            throw ControlException.of(
                    Kind.REJECTED, "param.invalid", "act is install or upgrade, with file, or remove, with plugin.");
        }
        return act;
    }

    private static Map<String, Object> request(Call call, String op, String act) {
        Map<String, Object> request = new HashMap<>();
        request.put("op", op);
        request.put("act", act);
        request.put("who", OPERATOR);
        for (String name : new String[] {"file", "signature", "plugin", "plan", "why"}) {
            String value = call.optionalText(name);
            if (value != null) {
                request.put(name, value);
            }
        }
        return request;
    }

    private Map<String, Object> ask(Map<String, Object> request) throws ControlException {
        Map<String, Object> answer = launcher.apply(request);
        if (answer.get("problem") instanceof String problem) {
            throw ControlException.of(
                    Kind.valueOf(String.valueOf(answer.get("kind"))),
                    String.valueOf(answer.get("code")),
                    problem,
                    String.valueOf(answer.get("next")));
        }
        return new LinkedHashMap<>(answer);
    }
}
