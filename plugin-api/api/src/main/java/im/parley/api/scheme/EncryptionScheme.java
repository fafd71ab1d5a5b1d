package im.parley.api.scheme;

import java.util.Set;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * An end-to-end encryption scheme as a pure function of conversation state.
 *
 * <p>The core calls {@link #step}, commits {next state, effects} in one transaction, then performs the effects and feeds
 * their outcomes back as inputs. A crash at any point replays from the last commit, so an effect may be performed twice
 * with the same token but a state never goes back. Time and randomness arrive in the input: the same state and input give
 * byte for byte the same step.
 *
 * <p>Implementations are thread-safe, keep nothing between calls, and do not block.
 */
@ConsumerType
public interface EncryptionScheme {
    /** Stable name, kept with each conversation and message, for example {@code nip17}. */
    String schemeId();

    /** The cipher suite in use, kept with each conversation, for example {@code nip44-v2}. */
    String suiteId();

    /** Version of the state's encoding; a newer provider reads older versions through {@link Input.Import}. */
    int stateVersion();

    /** The rumor kinds that a gift wrap may carry to this scheme; no two schemes of a node share one. */
    Set<Integer> rumorKinds();

    /**
     * One step. Never throws for what came from outside: an input it does not know, or a state it cannot read, gives the
     * unchanged state and {@link Effect.Fail}.
     *
     * @param state what the last step returned; an empty array for a new conversation; at most 1 MiB
     */
    Step step(byte[] state, Input input);
}
