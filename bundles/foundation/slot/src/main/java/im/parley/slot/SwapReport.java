package im.parley.slot;

import org.jspecify.annotations.Nullable;

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
 * @param moved what was carried over, if the slot keeps something; else null
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
        String undo,
        @Nullable Moved moved) {
    /**
     * What a slot with state carried over.
     *
     * @param rows compared on both sides
     * @param marks of deletions, compared on both sides
     * @param changes carried over while people wrote
     * @param primary sum of the SHA-256 of all rows of the old side when both were compared, hex
     * @param secondary the same of the new side; differs from it only by what was written meanwhile
     * @param recheckedRows rows that differed then, or were changed since, and were found equal while writers waited
     * @param pauseMicros how long writers waited
     * @param copyMillis from the beginning until few changes were left
     * @param compareMillis the comparison
     */
    public record Moved(
            long rows,
            long marks,
            long changes,
            String primary,
            String secondary,
            long recheckedRows,
            long pauseMicros,
            long copyMillis,
            long compareMillis) {}

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
        if (moved != null) {
            words.append("Moved ").append(moved.rows()).append(" rows");
            if (moved.marks() > 0) {
                words.append(" and ").append(moved.marks()).append(" marks of deletions");
            }
            words.append(" in ")
                    .append(seconds(moved.copyMillis()))
                    .append(" s, compared in ")
                    .append(seconds(moved.compareMillis()))
                    .append(" s");
            words.append(
                    moved.primary().equals(moved.secondary())
                            ? ": both sides have the hash " + moved.primary().substring(0, 16)
                            : ": equal but for " + moved.recheckedRows()
                                    + " rows that changed meanwhile and were compared again");
            words.append(". Writers waited ").append(moved.pauseMicros() / 1000).append(" ms. ");
        }
        words.append(generation > 0 ? "Stack generation " + generation + "." : "It lasts until the next start.");
        if (!undo.isEmpty()) {
            words.append(' ').append(undo);
        }
        return words.toString();
    }

    private static String seconds(long millis) {
        return millis / 1000 + "." + millis / 100 % 10;
    }
}
