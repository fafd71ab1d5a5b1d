package im.parley.slot.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.SwapReport;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the node runs at its next start, as far as swaps change it, and the journal of swaps. */
interface Stack {
    /**
     * @param select instances in order of preference
     * @param undoes the journal's entry that this takes back; 0 if none
     */
    record Selection(String slot, List<String> select, String who, String why, long undoes) {}

    /**
     * @param generation that has it; 0 if it is not kept
     * @param entry in the journal; 0 if it is not kept
     * @param partOfAct whether it is a step of a larger act, which is taken back as a whole
     */
    record Selected(long generation, long entry, boolean partOfAct) {}

    /** A swap that can be taken back. */
    record Undoable(String slot, String from, String to, long entry) {}

    /**
     * Makes a selection that of the next start. Durable when it returns.
     *
     * @throws ProviderException {@code UNAVAILABLE swap.not-written}
     */
    Selected select(Selection selection) throws ProviderException;

    /** Closes a journal entry with what was measured. A failure is logged: the swap itself is done. */
    void done(long entry, SwapReport report);

    /** The newest entry that was not taken back; null if there is none. */
    @Nullable
    Undoable undoable() throws ProviderException;
}
