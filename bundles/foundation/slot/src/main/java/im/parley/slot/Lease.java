package im.parley.slot;

/**
 * The right to use a provider's object for one unit of work. Not to be shared between units. Closing is idempotent.
 *
 * @param <T> the slot's type
 */
public interface Lease<T> extends AutoCloseable {
    /**
     * The object; do not keep it past {@link #close}.
     *
     * @throws IllegalStateException after close
     */
    T get();

    /** The instance behind it, {@code PID~name}. */
    String instance();

    /** True once a swap waits for this lease: finish soon, take a new one for the next unit. */
    boolean retiring();

    @Override
    void close();
}
