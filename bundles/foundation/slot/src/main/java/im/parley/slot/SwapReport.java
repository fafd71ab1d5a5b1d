package im.parley.slot;

/**
 * What one swap did, in numbers; {@link #words} says it for people.
 *
 * @param slot name
 * @param from {@code PID~name} that filled the slot; empty if it was empty
 * @param to {@code PID~name} that fills it now
 * @param who asked for it, for example {@code operator} or {@code quarantine}
 * @param why in the asker's words; may be empty
 * @param startedAtMillis epoch milliseconds
 * @param inFlight leases open on the old object at the switch
 * @param drained of them, those that ended by themselves
 * @param cut of them, those that still ran when the drain was over and then lost their object
 * @param prepareMicros opening the new object, while the old one served
 * @param drainMicros from the switch until the old object was closed
 * @param longestPauseMicros longest time that anyone waited for a lease meanwhile
 * @param generation stack generation that holds it; 0 if it lasts only until the next start
 * @param undo what an undo does, in words; empty if there is nothing to undo
 */
public record SwapReport(
        String slot,
        String from,
        String to,
        String who,
        String why,
        long startedAtMillis,
        int inFlight,
        int drained,
        int cut,
        long prepareMicros,
        long drainMicros,
        long longestPauseMicros,
        long generation,
        String undo) {
    /** The report in a few sentences. */
    public String words() {
        StringBuilder words = new StringBuilder(120)
                .append("Slot ")
                .append(slot)
                .append(": ")
                .append(from.isEmpty() ? "nothing" : from)
                .append(" gave way to ")
                .append(to)
                .append(". In flight at the switch: ")
                .append(inFlight)
                .append(", finished by themselves ")
                .append(drained)
                .append(", cut ")
                .append(cut)
                .append(". Longest wait for a lease ")
                .append(longestPauseMicros / 1000)
                .append('.')
                .append(longestPauseMicros / 100 % 10)
                .append(" ms. ");
        words.append(generation > 0 ? "Stack generation " + generation + "." : "It lasts until the next start.");
        if (!undo.isEmpty()) {
            words.append(' ').append(undo);
        }
        return words.toString();
    }
}
