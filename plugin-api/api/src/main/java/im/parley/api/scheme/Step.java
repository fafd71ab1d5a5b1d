package im.parley.api.scheme;

import java.util.List;

/**
 * What a step returns: the next state and what the core shall do, in order.
 *
 * @param state at most 1 MiB; not copied, do not change it afterwards
 * @param effects performed in this order after the state is committed
 */
public record Step(byte[] state, List<Effect> effects) {
    public Step {
        effects = List.copyOf(effects);
    }

    @Override
    public String toString() {
        return "Step[" + state.length + " bytes, " + effects.size() + " effects]";
    }
}
