package im.parley.api.scheme;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What can happen to a conversation. A scheme answers an input it does not use with no effects, an unknown one with {@code Fail(UNSUPPORTED)}. */
public sealed interface Input {
    /** Time and randomness of this input. */
    Moment at();

    /**
     * The user sends something.
     *
     * @param self the sending identity
     * @param others every other member; 1 to 9; may be {@code self} alone for a note to oneself
     * @param kind the rumor kind, for example 14 for text
     * @param tags extra tags, after which the scheme adds its own (such as {@code p})
     * @param content plain text or what the kind asks for
     * @param expiration seconds since the epoch after which every copy shall be gone; null for never
     */
    record Send(
            Moment at,
            PublicKey self,
            List<PublicKey> others,
            int kind,
            List<List<String>> tags,
            String content,
            @Nullable Long expiration)
            implements Input {
        public Send {
            others = List.copyOf(others);
            tags = tags.stream().map(List::copyOf).toList();
        }

        @Override
        public String toString() {
            return "Send[kind " + kind + " to " + others.size() + "]";
        }
    }

    /**
     * A rumor arrived whose wrap and seal were verified.
     *
     * @param self the receiving identity
     * @param sender author of the verified seal, equal to {@code rumor.pubkey()}
     */
    record Received(Moment at, PublicKey self, PublicKey sender, Rumor rumor) implements Input {}

    /** What became of an effect that published something. */
    record PublishOutcome(Moment at, String token, Outcome outcome) implements Input {}

    /** The answer to a {@link Effect.NeedSigner}; null if the signer refused. */
    record SignerResult(Moment at, String token, @Nullable String result) implements Input {}

    /** A time asked for with {@link Effect.ScheduleTick} has come. */
    record Tick(Moment at) implements Input {}

    /** The member list of the conversation changed. */
    record MembersChanged(Moment at, List<PublicKey> members) implements Input {
        public MembersChanged {
            members = List.copyOf(members);
        }
    }

    /** The device list of a member changed. */
    record DevicesChanged(Moment at, PublicKey member, List<String> devices) implements Input {
        public DevicesChanged {
            devices = List.copyOf(devices);
        }
    }

    /** State written by an earlier version of this scheme, to be read or refused. */
    record Import(Moment at, byte[] state, int version) implements Input {}

    /** What a relay said to a published event. */
    enum Outcome {
        /** At least one relay has it. */
        ACCEPTED,
        /** Every relay refused it for good. */
        REFUSED,
        /** Nobody answered in time; it may or may not be there. */
        UNKNOWN
    }
}
