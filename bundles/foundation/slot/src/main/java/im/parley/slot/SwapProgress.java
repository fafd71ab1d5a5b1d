package im.parley.slot;

/**
 * How far a slot with state has got.
 *
 * @param slot name
 * @param phase {@code none}, {@code preparing}, {@code copying}, {@code comparing}, {@code switching}, or {@code window}: the
 *     former provider is still kept up to date so that an undo loses nothing
 * @param from {@code PID~name} that is moved away from; empty if none
 * @param to {@code PID~name} that is moved to; empty if none
 * @param done rows carried over in the first pass
 * @param total rows there were, at least 1
 * @param changes changes carried over behind it
 * @param lag changes known to be left
 * @param sinceMillis epoch milliseconds at which the phase began; 0 if none
 * @param problem what keeps it from going on; empty if nothing does
 */
public record SwapProgress(
        String slot,
        String phase,
        String from,
        String to,
        long done,
        long total,
        long changes,
        long lag,
        long sinceMillis,
        String problem) {
    /** Of a slot where nothing moves. */
    public static SwapProgress none(String slot) {
        return new SwapProgress(slot, "none", "", "", 0, 1, 0, 0, 0, "");
    }
}
