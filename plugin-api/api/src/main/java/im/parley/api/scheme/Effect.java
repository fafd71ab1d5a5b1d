package im.parley.api.scheme;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a scheme asks the core to do. Tokens are unique within a conversation and deterministic, so that performing an
 * effect again after a crash is recognised.
 */
public sealed interface Effect {
    /** Publish a finished event to these relays (URLs); the outcome comes back under the token. */
    record Publish(String token, Event event, List<String> relays) implements Effect {
        public Publish {
            relays = List.copyOf(relays);
        }
    }

    /**
     * Gift-wrap a rumor for one recipient (NIP-59) and publish it to her inbox relays.
     *
     * @param ephemeral true for kind 21059, false for kind 1059
     * @param expiration seconds since the epoch, null for never
     */
    record SendWrapped(
            String token,
            Rumor rumor,
            PublicKey to,
            boolean ephemeral,
            @Nullable Long expiration) implements Effect {}

    /** Ask the identity's signer for an operation; the result comes back as {@link Input.SignerResult}. */
    record NeedSigner(String token, String operation, String argument) implements Effect {}

    /** Show this rumor: it is authentic and from that sender. */
    record Deliver(Rumor rumor, PublicKey sender) implements Effect {}

    /** Feed a {@link Input.Tick} at or soon after this time. */
    record ScheduleTick(long epochMillis) implements Effect {}

    /** The scheme needs the published key packages of these people before it can go on. */
    record NeedKeyPackages(String token, List<PublicKey> of) implements Effect {
        public NeedKeyPackages {
            of = List.copyOf(of);
        }
    }

    /**
     * The input was refused.
     *
     * @param code stable, dotted, lower case; {@link #UNSUPPORTED} for an input the scheme does not know
     */
    record Fail(String code) implements Effect {
        /** Code for an input the scheme does not know. */
        public static final String UNSUPPORTED = "scheme.unsupported";
    }
}
