package im.parley.outbox.internal;

import static im.parley.outbox.CircleRecords.CONVERSATIONS;
import static im.parley.outbox.CircleRecords.PAYLOADS;
import static im.parley.outbox.CircleRecords.QUEUE;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Step;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.Outbox.Stepped;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One step of one conversation inside a transaction: state in, state and queued effects out. */
final class Steps {
    private static final int VERSION = 1;

    private final Slot<EncryptionScheme> schemes;

    Steps(Slot<EncryptionScheme> schemes) {
        this.schemes = schemes;
    }

    /**
     * @param state the scheme's own bytes
     * @param epoch counts key changes of schemes that have them
     */
    private record Kept(String schemeId, String suiteId, int stateVersion, long epoch, byte[] state) {}

    /** @param signal what it queues is no message and counts in no total */
    Stepped step(Tx tx, Conversation conversation, Input input, boolean signal) throws ProviderException {
        try (Lease<EncryptionScheme> lease = schemes.acquire()) {
            EncryptionScheme scheme = lease.get();
            RecordKey key = RecordKey.of(CONVERSATIONS, conversation.id());
            byte @Nullable [] value = tx.get(key);
            Kept kept = value == null
                    ? new Kept(scheme.schemeId(), scheme.suiteId(), scheme.stateVersion(), 0, new byte[0])
                    : read(value);
            Step step = scheme.step(current(scheme, kept, input), input);
            if (input instanceof Input.Send) {
                refuse(step.effects());
            }
            Kept next =
                    new Kept(scheme.schemeId(), scheme.suiteId(), scheme.stateVersion(), kept.epoch(), step.state());
            byte[] written = write(next);
            // A refused input leaves no trace, or strangers could begin conversations with junk.
            boolean refused = step.effects().stream().anyMatch(effect -> effect instanceof Effect.Fail);
            if (!refused && (value == null || !java.util.Arrays.equals(value, written))) {
                tx.put(key, written);
            }
            for (Effect effect : step.effects()) {
                queue(tx, conversation, effect, input.at().epochMillis(), signal);
            }
            return new Stepped(next.schemeId(), next.suiteId(), next.stateVersion(), next.epoch(), step.effects());
        }
    }

    /** State in the version the scheme writes today. */
    private static byte[] current(EncryptionScheme scheme, Kept kept, Input input) throws ProviderException {
        if (!kept.schemeId().equals(scheme.schemeId())) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "scheme.other",
                    "This conversation belongs to the scheme " + kept.schemeId() + ", and " + scheme.schemeId()
                            + " is configured. Configure its scheme again.");
        }
        if (kept.stateVersion() == scheme.stateVersion()) {
            return kept.state();
        }
        Step imported = scheme.step(new byte[0], new Input.Import(input.at(), kept.state(), kept.stateVersion()));
        for (Effect effect : imported.effects()) {
            if (effect instanceof Effect.Fail) {
                throw new ProviderException(
                        Kind.UNSUPPORTED,
                        "scheme.other",
                        "The scheme cannot read this conversation's state of version " + kept.stateVersion()
                                + ". Configure the version that wrote it.");
            }
        }
        return imported.state();
    }

    private static void refuse(List<Effect> effects) throws ProviderException {
        for (Effect effect : effects) {
            if (effect instanceof Effect.Fail fail) {
                throw new ProviderException(
                        Kind.REJECTED, fail.code(), "The conversation's encryption scheme refused this message.");
            }
        }
    }

    private static void queue(Tx tx, Conversation conversation, Effect effect, long now, boolean signal)
            throws ProviderException {
        if (effect instanceof Effect.SendWrapped send) {
            // A note to oneself is a message with a recipient; every other wrap to oneself is a copy for other devices.
            boolean copy = signal || send.to().equals(conversation.self()) && !onlySelf(send, conversation.self());
            Task task = new Task(
                    LedgerBook.next(tx),
                    new Task.Order(
                            conversation,
                            send.token(),
                            send.rumor().id().hex(),
                            send.to(),
                            conversation.self().hex() + " " + send.to().hex(),
                            copy,
                            true,
                            send.ephemeral(),
                            send.expiration(),
                            now));
            put(tx, task, new Payload.Plain(send.rumor()));
        } else if (effect instanceof Effect.Publish publish) {
            Event event = publish.event();
            Task task = new Task(
                    LedgerBook.next(tx),
                    new Task.Order(
                            conversation,
                            publish.token(),
                            event.id().hex(),
                            conversation.self(),
                            conversation.self().hex() + " " + conversation.id(),
                            true,
                            false,
                            false,
                            null,
                            now));
            for (String relay : publish.relays()) {
                task.target(relay(relay));
            }
            task.finished = true;
            put(tx, task, new Payload.Finished(event, null));
        } else if (!(effect instanceof Effect.Deliver) && !(effect instanceof Effect.Fail)) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "outbox.effect",
                    "The encryption scheme asked for something this version of Parley does not do. Nothing was sent.");
        }
    }

    private static boolean onlySelf(Effect.SendWrapped send, PublicKey self) {
        return send.rumor().tagValues("p").stream().allMatch(self.hex()::equals);
    }

    private static URI relay(String text) throws ProviderException {
        try {
            return new URI(text);
        } catch (java.net.URISyntaxException e) {
            throw new ProviderException(
                    Kind.REJECTED, "relay.bad-url", "The encryption scheme named a relay that is no URL.", e);
        }
    }

    private static void put(Tx tx, Task task, Payload payload) throws ProviderException {
        tx.put(RecordKey.of(QUEUE, "", task.seq), task.write());
        tx.put(RecordKey.of(PAYLOADS, "", task.seq), Payload.write(payload), Payload.bucket(task.seq));
        LedgerBook.open(
                tx,
                new LedgerBook.Line(
                        task.seq,
                        task.order.messageId(),
                        task.order.to(),
                        task.order.copy(),
                        State.COMPOSED,
                        0,
                        task.targets.size(),
                        "",
                        task.order.since()));
    }

    private static byte[] write(Kept kept) throws ProviderException {
        return new RecordOutput(VERSION)
                .text(kept.schemeId())
                .text(kept.suiteId())
                .number(kept.stateVersion())
                .number(kept.epoch())
                .bytes(kept.state())
                .done();
    }

    private static Kept read(byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        return new Kept(in.text(), in.text(), in.count(), in.number(), in.bytes());
    }
}
