package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.SwapReport;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stack that the launcher keeps. It lives outside the framework and shares no classes with bundles, so it is a
 * {@code Function} between maps of JDK types. A framework without that launcher, in a test or a host of another kind, keeps
 * no swaps over a start.
 */
final class JournalledStack implements Stack {
    private static final String FILTER = "(parley.stack=node)";
    private static final Logger LOG = LoggerFactory.getLogger(JournalledStack.class);

    private final BundleContext context;

    JournalledStack(BundleContext context) {
        this.context = context;
    }

    @Override
    public Selected select(Selection selection) throws ProviderException {
        Map<String, Object> request = new HashMap<>();
        request.put("op", "select");
        request.put("slot", selection.slot());
        request.put("select", selection.select());
        request.put("who", selection.who());
        request.put("why", selection.why());
        request.put("undoes", selection.undoes());
        Map<?, ?> answer = ask(request);
        return new Selected(
                number(answer, "generation"), number(answer, "entry"), Boolean.TRUE.equals(answer.get("act")));
    }

    @Override
    public void done(long entry, SwapReport report) {
        Map<String, Object> request = new HashMap<>();
        request.put("op", "done");
        request.put("entry", entry);
        request.put("inFlight", (long) report.inFlight());
        request.put("drained", (long) report.drained());
        request.put("cut", (long) report.cut());
        request.put("longestPauseMicros", report.longestPauseMicros());
        try {
            ask(request);
        } catch (ProviderException e) {
            LOG.warn("The journal has no end for swap {}: {}", entry, e.getMessage());
        }
    }

    @Override
    public @Nullable Undoable undoable() throws ProviderException {
        Map<?, ?> answer = ask(Map.of("op", "undoable"));
        return number(answer, "entry") == 0
                ? null
                : new Undoable(
                        String.valueOf(answer.get("slot")),
                        String.valueOf(answer.get("from")),
                        String.valueOf(answer.get("to")),
                        number(answer, "entry"));
    }

    private static long number(Map<?, ?> answer, String name) {
        return answer.get(name) instanceof Long value ? value : 0;
    }

    private Map<?, ?> ask(Map<String, Object> request) throws ProviderException {
        ServiceReference<Function<Map<String, Object>, Map<String, Object>>> reference = reference();
        Function<Map<String, Object>, Map<String, Object>> service =
                reference == null ? null : context.getService(reference);
        if (reference == null || service == null) {
            return Map.of();
        }
        try {
            Map<String, Object> answer = service.apply(request);
            if (answer.get("problem") instanceof String problem) {
                String code = answer.get("code") instanceof String said ? said : "swap.not-written";
                throw new ProviderException(Kind.UNAVAILABLE, code, problem);
            }
            return answer;
        } finally {
            context.ungetService(reference);
        }
    }

    @SuppressWarnings("unchecked")
    private @Nullable ServiceReference<Function<Map<String, Object>, Map<String, Object>>> reference() {
        try {
            Collection<? extends ServiceReference<?>> found = context.getServiceReferences(Function.class, FILTER);
            return found.isEmpty()
                    ? null
                    : (ServiceReference<Function<Map<String, Object>, Map<String, Object>>>)
                            found.iterator().next();
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
