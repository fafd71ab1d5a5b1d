package im.parley.control.methods;

import im.parley.api.lifecycle.ProviderException;
import im.parley.control.Call;
import im.parley.control.MethodGroup;
import im.parley.slot.Mover;
import im.parley.slot.Slot;
import im.parley.slot.SwapProgress;
import im.parley.slot.SwapReport;
import im.parley.slot.Swaps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;

/** What fills the slots, and changing it. */
@Component(name = "im.parley.control.slots", service = MethodGroup.class)
public final class SlotMethods implements MethodGroup {
    private static final String OPERATOR = "operator";

    private final Swaps swaps;

    @Reference(service = Slot.class, cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    private volatile List<Slot<?>> slots = List.of();

    @Activate
    public SlotMethods(@Reference Swaps swaps) {
        this.swaps = swaps;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "slots.list",
                "slots.swap",
                "slots.undo",
                "slots.leftovers",
                "slots.progress",
                "slots.cancel",
                "slots.compare",
                "slots.finish");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException {
        String why = call.optionalText("why");
        String reason = why == null ? "" : why;
        return switch (call.method()) {
            case "slots.list" -> list();
            case "slots.swap" -> report(swaps.swap(call.text("slot"), call.text("instance"), OPERATOR, reason));
            case "slots.undo" -> report(swaps.undo(OPERATOR, reason));
            case "slots.progress" -> progress();
            case "slots.cancel" -> cancel(call.text("slot"));
            case "slots.compare" -> compare(call.text("slot"));
            case "slots.finish" -> Map.of("former", swaps.finish(call.text("slot"), OPERATOR));
            default -> leftovers();
        };
    }

    private Map<String, Object> list() {
        List<Map<String, Object>> found = new ArrayList<>();
        slots.stream()
                .map(Slot::status)
                .sorted(Comparator.comparing(Slot.Status::slot))
                .forEach(status -> {
                    Map<String, Object> slot = new LinkedHashMap<>();
                    slot.put("slot", status.slot());
                    slot.put("instance", status.instance());
                    slot.put("filled", status.filled());
                    slot.put("problem", status.problem());
                    slot.put("inFlight", status.inFlight());
                    slot.put("candidates", status.candidates());
                    found.add(slot);
                });
        return Map.of("slots", found);
    }

    private Map<String, Object> progress() throws ProviderException {
        List<Map<String, Object>> found = new ArrayList<>();
        for (String slot : slots.stream().map(Slot::name).sorted().toList()) {
            SwapProgress progress = swaps.progress(slot);
            if (!progress.phase().equals("none")) {
                Map<String, Object> shown = new LinkedHashMap<>();
                shown.put("slot", progress.slot());
                shown.put("phase", progress.phase());
                shown.put("from", progress.from());
                shown.put("to", progress.to());
                shown.put("done", progress.done());
                shown.put("total", progress.total());
                shown.put("changes", progress.changes());
                shown.put("lag", progress.lag());
                shown.put("since", progress.sinceMillis());
                shown.put("problem", progress.problem());
                found.add(shown);
            }
        }
        return Map.of("slots", found);
    }

    private Map<String, Object> cancel(String slot) throws ProviderException {
        swaps.cancel(slot);
        return Map.of();
    }

    private Map<String, Object> compare(String slot) throws ProviderException {
        Mover.Compared compared = swaps.compare(slot);
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("rows", compared.rows());
        shown.put("marks", compared.marks());
        shown.put("serving", compared.primary());
        shown.put("former", compared.secondary());
        shown.put("equal", compared.equal());
        shown.put("changed", compared.changed());
        return shown;
    }

    private static Map<String, Object> report(SwapReport report) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("slot", report.slot());
        shown.put("from", report.from());
        shown.put("to", report.to());
        shown.put("who", report.who());
        shown.put("why", report.why());
        shown.put("startedAt", report.startedAtMillis());
        shown.put("inFlight", report.inFlight());
        shown.put("drained", report.drained());
        shown.put("cut", report.cut());
        shown.put("prepareMicros", report.prepareMicros());
        shown.put("drainMicros", report.drainMicros());
        shown.put("longestPauseMicros", report.longestPauseMicros());
        shown.put("generation", report.generation());
        shown.put("undo", report.undo());
        SwapReport.Moved moved = report.moved();
        shown.put("moved", moved == null ? Map.of() : moved(moved));
        shown.put("words", report.words());
        return shown;
    }

    private static Map<String, Object> moved(SwapReport.Moved moved) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("rows", moved.rows());
        shown.put("marks", moved.marks());
        shown.put("changes", moved.changes());
        shown.put("rechecked", moved.recheckedRows());
        shown.put("pauseMicros", moved.pauseMicros());
        shown.put("copyMillis", moved.copyMillis());
        shown.put("compareMillis", moved.compareMillis());
        return shown;
    }

    private Map<String, Object> leftovers() {
        List<Map<String, Object>> found = new ArrayList<>();
        for (Swaps.Leftover leftover : swaps.leftovers()) {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("bundle", leftover.bundle());
            shown.put("instance", leftover.instance());
            shown.put("holders", leftover.holders());
            found.add(shown);
        }
        return Map.of("leftovers", found);
    }
}
