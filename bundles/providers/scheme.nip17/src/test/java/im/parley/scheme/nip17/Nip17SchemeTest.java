package im.parley.scheme.nip17;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.api.scheme.Step;
import im.parley.protocol.EventHash;
import im.parley.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class Nip17SchemeTest {
    private static final Moment AT = new Moment(1_700_000_000_123L, new byte[32]);
    private static final PublicKey ALICE = key(1);
    private static final PublicKey BOB = key(2);
    private static final PublicKey CAROL = key(3);

    private final Nip17Scheme scheme = new Nip17Scheme();

    @Test
    void sendsOneRumorToEachMemberAndToTheSendersOtherDevices() {
        Step step = scheme.step(new byte[0], send(List.of(BOB, CAROL), 14, 1_700_000_600L));

        assertEquals(3, step.effects().size());
        Effect.SendWrapped bob = wrapped(step, 0);
        Effect.SendWrapped carol = wrapped(step, 1);
        Effect.SendWrapped copy = wrapped(step, 2);
        Rumor rumor = bob.rumor();
        assertEquals(rumor, carol.rumor());
        assertEquals(rumor, copy.rumor());
        assertEquals(List.of(BOB, CAROL, ALICE), List.of(bob.to(), carol.to(), copy.to()));
        assertEquals(rumor.id().hex() + ":" + BOB.hex(), bob.token());
        assertEquals(rumor.id().hex() + ":copy", copy.token());
        assertEquals(1_700_000_600L, copy.expiration());
        assertEquals(1_700_000_000L, rumor.createdAt());
        assertEquals(
                List.of(List.of("parley", "d", "1", "h"), List.of("p", BOB.hex()), List.of("p", CAROL.hex())),
                rumor.tags());
        assertEquals("hello", rumor.content());
    }

    @Test
    void rumorIdIsTheHashOfItsCanonicalForm() throws ProtocolException {
        Rumor rumor = wrapped(scheme.step(new byte[0], send(List.of(BOB), 14, null)), 0)
                .rumor();
        assertEquals(EventHash.id(ALICE, rumor.createdAt(), 14, rumor.tags(), "hello"), rumor.id());
    }

    @Test
    void sameStateAndInputGiveTheSameStep() {
        Step one = scheme.step(new byte[0], send(List.of(BOB), 14, null));
        Step two = scheme.step(new byte[0], send(List.of(BOB), 14, null));
        assertEquals(one.effects(), two.effects());
        assertArrayEquals(one.state(), two.state());
    }

    @Test
    void noteToOneselfIsWrappedOnceAndIsNoCopy() {
        Step step = scheme.step(new byte[0], send(List.of(ALICE), 14, null));
        assertEquals(1, step.effects().size());
        Effect.SendWrapped note = wrapped(step, 0);
        assertEquals(ALICE, note.to());
        assertEquals(note.rumor().id().hex() + ":" + ALICE.hex(), note.token());
        assertEquals(List.of(ALICE.hex()), note.rumor().tagValues("p"));
    }

    @Test
    void tenMembersAreARoomAndElevenAreNot() {
        List<PublicKey> others = new ArrayList<>();
        for (int i = 2; i <= 10; i++) {
            others.add(key(i));
        }
        Step ten = scheme.step(new byte[0], send(others, 14, null));
        assertEquals(10, ten.effects().size());
        Set<String> tokens = new HashSet<>();
        ten.effects().forEach(effect -> tokens.add(((Effect.SendWrapped) effect).token()));
        assertEquals(10, tokens.size());

        others.add(key(11));
        assertFails(Nip17Scheme.TOO_MANY, scheme.step(new byte[0], send(others, 14, null)));
    }

    @Test
    void membersAreCountedOnceAndTheSenderIsNoRecipient() {
        Step step = scheme.step(new byte[0], send(List.of(BOB, ALICE, BOB), 14, null));
        assertEquals(2, step.effects().size());
        assertFails(Nip17Scheme.NO_MEMBERS, scheme.step(new byte[0], send(List.of(), 14, null)));
    }

    @Test
    void aSignalIsCopiedToNobody() {
        Step step = scheme.step(new byte[0], send(List.of(BOB), 78, null));
        assertEquals(1, step.effects().size());
        assertEquals(
                1,
                scheme.step(new byte[0], send(List.of(ALICE), 78, null))
                        .effects()
                        .size());
    }

    @Test
    void declaredKindsAreDelivered() {
        for (int kind : new int[] {14, 15, 7, 5, 78}) {
            Rumor rumor = rumor(BOB, kind, List.of(List.of("p", ALICE.hex())));
            Step step = scheme.step(new byte[0], new Input.Received(AT, ALICE, BOB, rumor));
            assertEquals(List.of(new Effect.Deliver(rumor, BOB)), step.effects());
        }
        assertEquals(Set.of(14, 15, 7, 5, 78), scheme.rumorKinds());
    }

    @Test
    void receivedOfAnotherKindAuthorOrSizeIsRefused() {
        assertFails(
                Effect.Fail.UNSUPPORTED,
                scheme.step(new byte[0], new Input.Received(AT, ALICE, BOB, rumor(BOB, 444, List.of()))));
        assertFails(
                Nip17Scheme.SENDER_MISMATCH,
                scheme.step(new byte[0], new Input.Received(AT, ALICE, CAROL, rumor(BOB, 14, List.of()))));
        List<List<String>> crowd = new ArrayList<>();
        for (int i = 1; i <= 11; i++) {
            crowd.add(List.of("p", key(20 + i).hex()));
        }
        assertFails(
                Nip17Scheme.TOO_MANY,
                scheme.step(new byte[0], new Input.Received(AT, ALICE, BOB, rumor(BOB, 14, crowd))));
    }

    @Test
    void inputsWithoutMeaningChangeNothing() {
        byte[] state = {1};
        for (Input input : List.of(
                new Input.PublishOutcome(AT, "t", Input.Outcome.UNKNOWN),
                new Input.SignerResult(AT, "t", null),
                new Input.Tick(AT),
                new Input.MembersChanged(AT, List.of(BOB)),
                new Input.DevicesChanged(AT, BOB, List.of("d")))) {
            Step step = scheme.step(state, input);
            assertEquals(List.of(), step.effects());
            assertArrayEquals(state, step.state());
        }
    }

    @Test
    void foreignStateIsLeftAloneAndOldStateIsImported() {
        byte[] foreign = {9, 9};
        Step refused = scheme.step(foreign, send(List.of(BOB), 14, null));
        assertFails(Nip17Scheme.BAD_STATE, refused);
        assertArrayEquals(foreign, refused.state());

        assertArrayEquals(
                new byte[] {1},
                scheme.step(new byte[0], new Input.Import(AT, new byte[] {1}, 1))
                        .state());
        assertFails(Effect.Fail.UNSUPPORTED, scheme.step(new byte[0], new Input.Import(AT, foreign, 2)));
    }

    @Test
    void CR_09_halfCharactersAndNulAreRefusedBeforeAnIdExists() {
        for (String text : List.of("\ud800", "a\u0000b")) {
            assertFails(
                    Nip17Scheme.BAD_TEXT,
                    scheme.step(new byte[0], new Input.Send(AT, ALICE, List.of(BOB), 14, List.of(), text, null)));
        }
        assertFails(Effect.Fail.UNSUPPORTED, scheme.step(new byte[0], send(List.of(BOB), 1, null)));
    }

    private static Input.Send send(List<PublicKey> others, int kind, @Nullable Long expiration) {
        return new Input.Send(AT, ALICE, others, kind, List.of(List.of("parley", "d", "1", "h")), "hello", expiration);
    }

    private static Effect.SendWrapped wrapped(Step step, int index) {
        return assertInstanceOf(Effect.SendWrapped.class, step.effects().get(index));
    }

    private static void assertFails(String code, Step step) {
        assertEquals(List.of(new Effect.Fail(code)), step.effects());
    }

    private static Rumor rumor(PublicKey author, int kind, List<List<String>> tags) {
        try {
            return EventHash.rumor(author, 1_700_000_000L, kind, tags, "hi");
        } catch (ProtocolException e) {
            throw new AssertionError(e);
        }
    }

    private static PublicKey key(int fill) {
        byte[] bytes = new byte[32];
        Arrays.fill(bytes, (byte) fill);
        return PublicKey.of(bytes);
    }
}
