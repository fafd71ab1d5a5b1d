package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.Vault;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From a line to its answer: schema, lock, group, error in three parts. Thread-safe. */
final class Dispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);
    private static final String NOT_UNDERSTOOD = "The request was not understood.";

    private final Vault vault;
    private final Supplier<List<MethodGroup>> groups;

    Dispatcher(Vault vault, Supplier<List<MethodGroup>> groups) {
        this.vault = vault;
        this.groups = groups;
    }

    /** The line to answer with; null for a notification. */
    byte @Nullable [] answer(byte[] line, int length, Subscriber subscriber) {
        Requests.Head head;
        try {
            head = Requests.head(line, length);
        } catch (ControlException e) {
            return Answers.error(null, NOT_UNDERSTOOD, e);
        }
        Method method = Schema.find(head.method());
        String what = method == null ? NOT_UNDERSTOOD : method.failed();
        byte[] answer;
        try {
            if (method == null) {
                throw new ControlException(
                        Protocol.METHOD_NOT_FOUND,
                        Kind.UNSUPPORTED,
                        "request.method-unknown",
                        "This node has no method of that name.");
            }
            Map<String, Object> result = call(method, line, length, subscriber);
            answer = head.id() == null ? null : Answers.result(head.id(), result);
        } catch (ProviderException e) {
            if (e.kind() == Kind.INTERNAL || e.kind() == Kind.CORRUPT) {
                LOG.error("{} failed: {}", head.method(), e.code(), e);
            }
            answer = Answers.error(head.id(), what, ControlException.of(e));
        } catch (ControlException e) {
            answer = Answers.error(head.id(), what, e);
        } catch (RuntimeException e) {
            LOG.error("{} failed", method == null ? "an unknown method" : method.name(), e);
            answer = Answers.error(head.id(), what, Answers.internal());
        }
        return head.id() == null ? null : answer;
    }

    private Map<String, Object> call(Method method, byte[] line, int length, Subscriber subscriber)
            throws ProviderException, ControlException {
        if (!method.whileLocked() && vault.state().locked()) {
            throw ControlException.of(Kind.AUTHENTICATION, "session.locked", "The session is locked.");
        }
        try (Call call = new Call(method, Requests.params(line, length, method), subscriber)) {
            if (method.name().equals("rpc.discover")) {
                return Schema.discover();
            }
            for (MethodGroup group : groups.get()) {
                if (group.names().contains(method.name())) {
                    return group.call(call);
                }
            }
        }
        throw ControlException.of(
                Kind.UNSUPPORTED,
                "feature.absent",
                "This node has not got the part that does it, or that part is still starting.");
    }
}
