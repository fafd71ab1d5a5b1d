package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.policy.Client;
import im.parley.api.policy.EventPolicy;
import im.parley.api.policy.QueryPolicy;
import im.parley.api.policy.Verdict;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The policies that the relay's configuration names, asked in that order. All of them are required: one that is missing,
 * fails or answers nothing refuses. Leased per question, so that a policy can be swapped while clients stay connected.
 *
 * <p>A policy that does not come back holds half of the relay's threads at most, and once it has held one for a second
 * nobody waits for it any more until it has answered: what needs its judgement is refused at once. Thread-safe.
 */
final class Policies {
    /** Slots of policies are called so. */
    static final String SLOT_PREFIX = "policy.";

    private static final Logger LOG = LoggerFactory.getLogger(Policies.class);
    private static final String FAILED = "error: policy.failed a rule of this relay cannot be checked, try again later";

    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** A question that has no answer yet; told apart by identity. */
    private static final class Asked {
        private final String slot;
        private final long since = System.nanoTime();

        Asked(String slot) {
            this.slot = slot;
        }
    }

    private final Semaphore free;
    private final Set<Asked> unanswered = ConcurrentHashMap.newKeySet();
    private final List<String> required;
    private final Map<String, Slot<?>> slots = new ConcurrentHashMap<>();
    /** Slots of which it was said that they fail. */
    private final Map<String, String> failing = new ConcurrentHashMap<>();

    /**
     * @param required names of slots, in the order in which they are asked
     * @param threads that ask
     */
    Policies(List<String> required, int threads) {
        this.required = required;
        this.free = new Semaphore(Math.max(1, threads / 2));
    }

    void add(Slot<?> slot) {
        slots.put(slot.name(), slot);
    }

    void remove(Slot<?> slot) {
        slots.remove(slot.name(), slot);
    }

    /** Null if no policy is against it, else the reason for the wire. */
    @Nullable
    String judge(Event event, Client client) {
        return ask(policy -> policy instanceof EventPolicy rules ? rules.judge(event, client) : notAsked(policy));
    }

    /** Null if no policy is against it, else the reason for the wire. */
    @Nullable
    String judge(List<Filter> filters, Client client) {
        return ask(policy -> policy instanceof QueryPolicy rules ? rules.judge(filters, client) : notAsked(policy));
    }

    /** A policy may be about events only, or queries only; what is neither is no policy. */
    private static @Nullable Verdict notAsked(Object policy) {
        return policy instanceof EventPolicy || policy instanceof QueryPolicy ? Verdict.accept() : null;
    }

    private interface Question {
        @Nullable
        Verdict put(Object policy) throws ProviderException;
    }

    private @Nullable String ask(Question question) {
        for (String name : required) {
            String refusal = ask(name, question);
            if (refusal != null) {
                return refusal;
            }
        }
        return null;
    }

    private @Nullable String ask(String name, Question question) {
        for (Asked each : unanswered) {
            if (System.nanoTime() - each.since > PATIENCE_NANOS) {
                return failed(each.slot, "it has not answered for more than a second");
            }
        }
        try {
            if (!free.tryAcquire(PATIENCE_NANOS, TimeUnit.NANOSECONDS)) {
                return failed(name, "too many questions have no answer yet");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return failed(name, "the relay stops");
        }
        Asked asked = new Asked(name);
        unanswered.add(asked);
        try {
            return answer(name, question);
        } finally {
            unanswered.remove(asked);
            free.release();
        }
    }

    private @Nullable String answer(String name, Question question) {
        Slot<?> slot = slots.get(name);
        if (slot == null) {
            return failed(name, "there is no such slot");
        }
        Verdict verdict;
        try (Lease<?> lease = slot.acquire()) {
            verdict = question.put(lease.get());
        } catch (ProviderException e) {
            return failed(name, e.code());
        } catch (RuntimeException | LinkageError | StackOverflowError e) {
            // A lease that a swap has cut, or a policy without the border of its slot.
            return failed(name, e.getClass().getSimpleName());
        }
        if (verdict == null) {
            return failed(name, "it gave no answer");
        }
        if (failing.remove(name) != null) {
            LOG.info("The policy {} can be asked again", name);
        }
        return verdict.prefix() == null ? null : verdict.prefix().wire() + ": " + verdict.reason();
    }

    /** Said once per cause, not per event: whoever sends decides how often it happens. */
    private String failed(String name, String why) {
        if (!why.equals(failing.put(name, why))) {
            LOG.error("The relay refuses what it cannot have judged by {}: {}", name, why);
        }
        return FAILED;
    }
}
