package im.parley.scheme.nip17;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Step;
import im.parley.protocol.EventHash;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Private direct messages (NIP-17): each message is one rumor, sealed and wrapped apart for every member and once for the
 * sender's other devices; signals, such as receipts, go to those alone whom they are for. There are no session keys, so the state is only the mark of its own version.
 *
 * <p>Tokens are {@code <rumor id>:<recipient>}, and {@code <rumor id>:copy} for the sender's own copy.
 */
final class Nip17Scheme implements EncryptionScheme {
    /** Members of a room, the sender counted (NIP-17). */
    static final int MAX_MEMBERS = 10;

    static final String TOO_MANY = "scheme.too-many-members";
    static final String NO_MEMBERS = "scheme.no-members";
    static final String BAD_STATE = "scheme.bad-state";
    static final String BAD_TEXT = "scheme.bad-text";
    static final String SENDER_MISMATCH = "dm.sender-mismatch";

    private static final int STATE_VERSION = 1;
    private static final Set<Integer> KINDS =
            Set.of(Kinds.TEXT, Kinds.FILE, Kinds.REACTION, Kinds.DELETION, Kinds.SIGNAL);

    @Override
    public String schemeId() {
        return "nip17";
    }

    @Override
    public String suiteId() {
        return "nip44-v2";
    }

    @Override
    public int stateVersion() {
        return STATE_VERSION;
    }

    @Override
    public Set<Integer> rumorKinds() {
        return KINDS;
    }

    @Override
    public Step step(byte[] state, Input input) {
        if (input instanceof Input.Import imported) {
            return imported.version() == STATE_VERSION && readable(imported.state())
                    ? new Step(written(), List.of())
                    : fail(state, Effect.Fail.UNSUPPORTED);
        }
        if (!readable(state)) {
            return fail(state, BAD_STATE);
        }
        if (input instanceof Input.Send send) {
            return send(state, send);
        }
        if (input instanceof Input.Received received) {
            return received(state, received);
        }
        // Nothing of a conversation depends on what became of a wrap, on time or on devices; a room is its member list.
        boolean unused = input instanceof Input.PublishOutcome
                || input instanceof Input.SignerResult
                || input instanceof Input.Tick
                || input instanceof Input.MembersChanged
                || input instanceof Input.DevicesChanged;
        return unused ? new Step(state, List.of()) : fail(state, Effect.Fail.UNSUPPORTED);
    }

    private static Step send(byte[] state, Input.Send send) {
        if (!KINDS.contains(send.kind())) {
            return fail(state, Effect.Fail.UNSUPPORTED);
        }
        Set<PublicKey> others = new LinkedHashSet<>(send.others());
        boolean noteToSelf = others.equals(Set.of(send.self()));
        if (!noteToSelf) {
            others.remove(send.self());
        }
        if (others.isEmpty()) {
            return fail(state, NO_MEMBERS);
        }
        if (others.size() >= MAX_MEMBERS) {
            return fail(state, TOO_MANY);
        }
        List<List<String>> tags = new ArrayList<>(send.tags());
        for (PublicKey other : others) {
            tags.add(List.of("p", other.hex()));
        }
        Rumor rumor;
        try {
            rumor = EventHash.rumor(send.self(), send.at().epochSeconds(), send.kind(), tags, send.content());
        } catch (ProtocolException e) {
            return fail(state, BAD_TEXT);
        }
        String id = rumor.id().hex();
        List<Effect> effects = new ArrayList<>();
        for (PublicKey other : others) {
            effects.add(new Effect.SendWrapped(id + ":" + other.hex(), rumor, other, false, send.expiration()));
        }
        if (!noteToSelf && send.kind() != Kinds.SIGNAL) {
            effects.add(new Effect.SendWrapped(id + ":copy", rumor, send.self(), false, send.expiration()));
        }
        return new Step(written(), effects);
    }

    private static Step received(byte[] state, Input.Received received) {
        Rumor rumor = received.rumor();
        if (!KINDS.contains(rumor.kind())) {
            return fail(state, Effect.Fail.UNSUPPORTED);
        }
        if (!rumor.pubkey().equals(received.sender())) {
            return fail(state, SENDER_MISMATCH);
        }
        Set<String> members = new LinkedHashSet<>(rumor.tagValues("p"));
        members.add(rumor.pubkey().hex());
        if (members.size() > MAX_MEMBERS) {
            return fail(state, TOO_MANY);
        }
        return new Step(written(), List.of(new Effect.Deliver(rumor, received.sender())));
    }

    private static boolean readable(byte[] state) {
        return state.length == 0 || state.length == 1 && state[0] == STATE_VERSION;
    }

    private static byte[] written() {
        return new byte[] {STATE_VERSION};
    }

    private static Step fail(byte[] state, String code) {
        return new Step(state, List.of(new Effect.Fail(code)));
    }
}
