package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Mover;
import im.parley.slot.SwapProgress;
import im.parley.slot.SwapReport;
import im.parley.slot.Swaps;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where swaps are asked for, one after the other: by an operator, or by a slot whose provider keeps failing. */
@Component(name = "im.parley.slot.swaps", service = Swaps.class, immediate = true)
public final class SwapDesk implements Swaps {
    private static final Logger LOG = LoggerFactory.getLogger(SwapDesk.class);
    private static final int MAX_REMEMBERED = 100;

    private final SlotHost host;
    private final Stack stack;
    private final ExecutorService acting = Executors.newSingleThreadExecutor(work -> {
        Thread thread = new Thread(null, work, "parley-quarantine", 0, false);
        thread.setDaemon(true);
        return thread;
    });

    private volatile long generation;

    // With the lock on this.
    private final Deque<Swapped> undoable = new ArrayDeque<>();
    /** What filled a slot before what fills it now. */
    private final Map<String, String> before = new HashMap<>();

    /** @param entry in the journal; 0 if it is not there */
    private record Swapped(String slot, String from, String to, long entry) {}

    @Activate
    public SwapDesk(@Reference SlotHost host, BundleContext context) {
        this(host, new JournalledStack(context));
    }

    SwapDesk(SlotHost host, Stack stack) {
        this.host = host;
        this.stack = stack;
        host.quarantine(this::faulty);
    }

    @Deactivate
    void deactivate() {
        host.quarantine(null);
        acting.shutdownNow();
    }

    @Override
    public SwapReport swap(String slot, String instance, String who, String why) throws ProviderException {
        return swap(slot, instance, who, why, null);
    }

    @Override
    public SwapReport undo(String who, String why) throws ProviderException {
        Swapped newest;
        synchronized (this) {
            newest = undoable.peekLast();
        }
        if (newest == null) {
            Stack.Undoable kept = stack.undoable();
            newest = kept == null ? null : new Swapped(kept.slot(), kept.from(), kept.to(), kept.entry());
        }
        if (newest == null) {
            throw new ProviderException(
                    Kind.REJECTED, "swap.nothing-to-undo", "No swap was made that was not taken back.");
        }
        SwapReport report = swap(newest.slot(), newest.from(), who, why, newest);
        ConfiguredSlot slot = slot(newest.slot());
        if (slot.handover() != null && slot.handover().progress().phase().equals("window")) {
            // It was copied back, and nothing takes an undo back: nobody would end keeping the other one up to date.
            slot.finish();
        }
        synchronized (this) {
            undoable.removeLastOccurrence(newest);
        }
        return report;
    }

    /** @param undone what this takes back; null if it is a swap of its own */
    private SwapReport swap(String name, String instance, String who, String why, @Nullable Swapped undone)
            throws ProviderException {
        ConfiguredSlot slot = slot(name);
        long startedAt = host.clock().millis();
        Stack.Selected[] kept = {new Stack.Selected(0, 0, false)};
        ConfiguredSlot.Replaced done = slot.replace(instance, selection -> {
            Stack.Selected selected =
                    stack.select(new Stack.Selection(name, selection, who, why, undone == null ? 0 : undone.entry()));
            kept[0] = selected;
            return selected.generation();
        });
        long entry = kept[0].entry();
        boolean canUndo = undone == null && !done.from().isEmpty() && !kept[0].partOfAct();
        SwapReport report = new SwapReport(
                name,
                done.from(),
                instance,
                who,
                why,
                startedAt,
                done.ended().inFlight(),
                done.ended().drained(),
                done.ended().cut(),
                done.prepare() / 1_000,
                done.drain() / 1_000,
                done.longestWait() / 1_000,
                done.generation(),
                canUndo ? "An undo gives the slot back to " + done.from() + " in the same way." : "",
                done.moved());
        synchronized (this) {
            before.put(name, done.from());
            generation = Math.max(generation, done.generation());
            if (canUndo) {
                undoable.addLast(new Swapped(name, done.from(), instance, entry));
                if (undoable.size() > MAX_REMEMBERED) {
                    undoable.removeFirst();
                }
            }
        }
        if (entry > 0) {
            stack.done(entry, report);
        }
        LOG.info("Swap by {}: {}", who, report.words());
        return report;
    }

    private ConfiguredSlot slot(String name) throws ProviderException {
        ConfiguredSlot slot = host.slot(name);
        if (slot == null) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "swap.unknown-slot",
                    "There is no slot " + name + "; there are " + String.join(", ", host.slotNames()) + ".");
        }
        return slot;
    }

    @Override
    public SwapProgress progress(String slot) throws ProviderException {
        Handover handover = slot(slot).handover();
        return handover == null ? SwapProgress.none(slot) : handover.progress();
    }

    @Override
    public void cancel(String slot) throws ProviderException {
        Handover handover = slot(slot).handover();
        if (handover == null || handover.progress().phase().equals("none")) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "swap.no-window",
                    "Nothing moves in the slot " + slot + ", and nothing is compared.");
        }
        handover.cancel();
    }

    @Override
    public Mover.Compared compare(String slot) throws ProviderException {
        return slot(slot).compare();
    }

    @Override
    public String finish(String slot, String who) throws ProviderException {
        String former = slot(slot).finish();
        LOG.info("Slot {}: {} is no longer kept up to date, by {}", slot, former, who);
        return former;
    }

    @Override
    public long generation() {
        return generation;
    }

    @Override
    public List<Leftover> leftovers() {
        return host.loaders().leftovers();
    }

    private void faulty(ConfiguredSlot slot, String instance, String last) {
        try {
            acting.execute(() -> quarantine(slot, instance, last));
        } catch (RejectedExecutionException e) {
            LOG.debug("The node stops, so {} is not quarantined any more", instance);
        }
    }

    private void quarantine(ConfiguredSlot slot, String instance, String last) {
        String text = instance + " failed " + Border.FAULTS + " times in a minute, last in " + last + ".";
        try {
            if (!slot.status().instance().equals(instance)) {
                return;
            }
            String other = other(slot, instance);
            if (other == null) {
                slot.warn("slot.failing: " + text + " There is no other instance to return to.");
                LOG.error("Slot {}: {} There is no other instance to return to", slot.name(), text);
                return;
            }
            swap(slot.name(), other, "quarantine", text, null);
            slot.warn("slot.quarantined: " + text);
        } catch (ProviderException e) {
            slot.warn("slot.failing: " + text + " The other instance cannot serve: " + e.getMessage());
            LOG.error("Slot {}: {} The other instance cannot serve: {}", slot.name(), text, e.getMessage());
        }
    }

    /** What served before, or the next one that could. */
    private @Nullable String other(ConfiguredSlot slot, String instance) {
        List<String> candidates = slot.status().candidates();
        String previous;
        synchronized (this) {
            previous = before.getOrDefault(slot.name(), "");
        }
        if (candidates.contains(previous) && !previous.equals(instance)) {
            return previous;
        }
        return slot.preferences().stream()
                .filter(each -> !each.equals(instance) && candidates.contains(each))
                .findFirst()
                .orElse(null);
    }
}
