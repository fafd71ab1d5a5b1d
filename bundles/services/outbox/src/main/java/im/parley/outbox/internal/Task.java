package im.parley.outbox.internal;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.scheme.Input;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One effect that has no outcome yet, as it lies in the queue and as the circle's loop works on it. Confined to the loop. */
final class Task {
    private static final int VERSION = 1;

    /**
     * What never changes.
     *
     * @param token the scheme's
     * @param to the recipient; the sender herself for an event published as it is
     * @param lane effects of one lane keep their order
     * @param since epoch milliseconds at which it was queued
     */
    record Order(
            Conversation conversation,
            String token,
            String messageId,
            PublicKey to,
            String lane,
            boolean copy,
            boolean wrapped,
            boolean ephemeral,
            @Nullable Long expiration,
            long since) {
        PublicKey sender() {
            return conversation.self();
        }
    }

    /** One try to have the rumor wrapped. */
    static final class Wrapping {
        final Task task;
        /** When the signer was asked, by the monotonic clock; null before. */
        volatile @Nullable Long askedAt;
        /** Answered or no longer waited for. */
        boolean over;

        Wrapping(Task task) {
            this.task = task;
        }
    }

    final long seq;
    final Order order;
    final Map<URI, Target> targets = new LinkedHashMap<>();

    /** True once the finished event is durable and may be published. */
    boolean finished;
    /** True once the scheme was told the outcome. */
    boolean told;

    State state = State.COMPOSED;
    String reason = "";

    /** Made but perhaps not yet durable; null when it lies on disk only. */
    @Nullable
    Event event;
    /** The event was made and waits for the commit that lets it be published. */
    boolean eventToWrite;

    /** The rumor inside {@link #event} while that waits to be written. */
    @Nullable
    Rumor rumor;
    /** The event is durable but too old to be found by readers; it is made anew before the next try. */
    boolean stale;
    /** Under way; null if nothing is. */
    @Nullable
    Wrapping wrapping;

    int attempts;
    long notBefore = Long.MIN_VALUE;
    /** Outcome decided but not yet told to the scheme. */
    @Nullable
    Input outcome;
    /** Nothing is left to do once this is committed. */
    boolean done;

    /** Times in a row that writing this task failed although the store works for others. */
    int notWritten;

    Task(long seq, Order order) {
        this.seq = seq;
        this.order = order;
    }

    Target target(URI relay) {
        return targets.computeIfAbsent(relay, Target::new);
    }

    /** Whether an event is still to be made. */
    boolean wantsWrap() {
        return !done && !eventToWrite && (!finished || stale);
    }

    int accepted() {
        int count = 0;
        for (Target target : targets.values()) {
            count += target.status == Target.Status.ACCEPTED ? 1 : 0;
        }
        return count;
    }

    byte[] write() throws ProviderException {
        return write(finished, told);
    }

    /** As it will be once the transaction that writes it is committed. */
    byte[] write(boolean finished, boolean told) throws ProviderException {
        RecordOutput out = new RecordOutput(VERSION)
                .text(order.conversation().id())
                .bytes(order.conversation().self().bytes())
                .text(order.token())
                .text(order.messageId())
                .bytes(order.to().bytes())
                .text(order.lane())
                .flag(order.copy())
                .flag(order.wrapped())
                .flag(order.ephemeral())
                .number(order.expiration() == null ? -1 : order.expiration())
                .number(order.since())
                .flag(finished)
                .flag(told)
                .number(targets.size());
        for (Target target : targets.values()) {
            out.text(target.relay.toString())
                    .text(target.status.name())
                    .flag(target.identified)
                    .text(target.reason);
        }
        return out.done();
    }

    static Task read(long seq, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        String conversation = in.text();
        PublicKey self = PublicKey.of(in.bytes());
        String token = in.text();
        String messageId = in.text();
        PublicKey to = PublicKey.of(in.bytes());
        String lane = in.text();
        boolean copy = in.flag();
        boolean wrapped = in.flag();
        boolean ephemeral = in.flag();
        long expiration = in.number();
        Task task = new Task(
                seq,
                new Order(
                        new Conversation(conversation, self),
                        token,
                        messageId,
                        to,
                        lane,
                        copy,
                        wrapped,
                        ephemeral,
                        expiration < 0 ? null : expiration,
                        in.number()));
        task.finished = in.flag();
        task.told = in.flag();
        int count = in.count();
        for (int i = 0; i < count; i++) {
            try {
                Target target = task.target(URI.create(in.text()));
                target.status = Target.Status.valueOf(in.text());
                target.identified = in.flag();
                target.reason = in.text();
            } catch (IllegalArgumentException e) {
                throw new ProviderException(
                        Kind.CORRUPT, "store.bad-record", "A queued message names a relay that is none.", e);
            }
        }
        if (task.accepted() > 0) {
            // The ledger says so already and must not go back while the rest is tried again.
            task.state = State.AT_RELAYS;
        }
        return task;
    }
}
