package im.parley.slot;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Changes what fills a slot while the node works. Thread-safe; one swap of a slot at a time, others of that slot wait for
 * it. Blocks: opening the new object, up to four seconds of drain, and in a slot that keeps something for as long as it takes
 * to copy that.
 *
 * <p>A swap checks, prepares (opens the new object while the old one serves), writes the next stack generation, switches in
 * one step, lets open leases finish, cuts those that do not, and closes the old object. Until the switch a failure changes
 * nothing; killed at any instant, the node boots with the old or the new instance.
 */
@ProviderType
public interface Swaps {
    /**
     * Makes an instance fill a slot. In the slot {@code curve} it becomes the first of the preference list.
     *
     * @param slot name
     * @param instance {@code PID~name}, a candidate of that slot
     * @param who asks, one word
     * @param why for the journal; may be empty
     * @throws ProviderException {@code REJECTED swap.unknown-slot}, {@code swap.unknown-instance}, {@code swap.same}, {@code
     *     swap.no-handover} (the slot keeps state that is not moved), what opening the new object fails with, and {@code
     *     UNAVAILABLE swap.not-written} if the stack generation cannot be written; in all cases the old object serves on
     */
    SwapReport swap(String slot, String instance, String who, String why) throws ProviderException;

    /**
     * Takes the newest swap back that was not taken back yet, also after a restart.
     *
     * @throws ProviderException {@code REJECTED swap.nothing-to-undo}, and as {@link #swap}
     */
    SwapReport undo(String who, String why) throws ProviderException;

    /**
     * How far the slot has got with moving what it keeps; a slot that keeps nothing has the phase {@code none}. Returns at
     * once.
     *
     * @throws ProviderException {@code REJECTED swap.unknown-slot}
     */
    SwapProgress progress(String slot) throws ProviderException;

    /** Has a move of that slot's contents give up: the old provider serves on. Without effect if nothing moves. */
    void cancel(String slot) throws ProviderException;

    /**
     * Compares what a slot keeps with what the former provider keeps, row by row, while both are used.
     *
     * @throws ProviderException {@code REJECTED swap.no-window} if the former one is no longer kept up to date, {@code
     *     CORRUPT handover.differs}
     */
    Mover.Compared compare(String slot) throws ProviderException;

    /**
     * Ends the time in which an undo loses nothing: the former provider is closed, its files stay where they are.
     *
     * @return {@code PID~name} of the former provider
     * @throws ProviderException {@code REJECTED swap.no-window}
     */
    String finish(String slot, String who) throws ProviderException;

    /** The newest stack generation that a swap has written since the start; 0 if none has. */
    long generation();

    /** What was retired since the start and is not proven gone, the oldest first. Asks the collector; takes a moment. */
    List<Leftover> leftovers();

    /**
     * A class loader that outlived its bundle.
     *
     * @param bundle symbolic name, version and id
     * @param instance last {@code PID~name} that a slot opened from it
     * @param holders what is known to hold it: services in use, threads, open leases; may be empty
     */
    record Leftover(String bundle, String instance, List<String> holders) {}
}
