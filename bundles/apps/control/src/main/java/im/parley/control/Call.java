package im.parley.control;

import im.parley.api.lifecycle.Kind;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One call that was checked against the schema. Used by one thread; its secrets are wiped when it is closed. */
public final class Call implements AutoCloseable {
    private final Method method;
    private final Map<String, Object> params;
    private final Subscriber subscriber;

    Call(Method method, Map<String, Object> params, Subscriber subscriber) {
        this.method = method;
        this.params = params;
        this.subscriber = subscriber;
    }

    /** The schema's name of the method. */
    public String method() {
        return method.name();
    }

    /** Where notifications of this connection go. */
    public Subscriber subscriber() {
        return subscriber;
    }

    /** A text that the schema requires. */
    public String text(String name) {
        String value = optionalText(name);
        if (value == null) {
            throw new IllegalStateException("the schema does not require " + name);
        }
        return value;
    }

    public @Nullable String optionalText(String name) {
        return (String) params.get(name);
    }

    /** A secret; null if it was left out. */
    public char @Nullable [] secret(String name) {
        return params.get(name) instanceof Secret secret ? secret.value() : null;
    }

    /** Whether a truth value was given and is true. */
    public boolean flag(String name) {
        return Boolean.TRUE.equals(params.get(name));
    }

    /** Whether a parameter was given. */
    public boolean has(String name) {
        return params.containsKey(name);
    }

    /**
     * A whole number within bounds.
     *
     * @throws ControlException {@code param.out-of-range}
     */
    public long number(String name, long least, long most, long otherwise) throws ControlException {
        if (!(params.get(name) instanceof Long value)) {
            return otherwise;
        }
        if (value < least || value > most) {
            throw new ControlException(
                    Protocol.INVALID_PARAMS,
                    Kind.REJECTED,
                    "param.out-of-range",
                    name + " is " + value + "; it must be " + least + " to " + most + ".");
        }
        return value;
    }

    @Override
    public void close() {
        for (Object value : params.values()) {
            if (value instanceof Secret secret) {
                secret.close();
            }
        }
    }
}
