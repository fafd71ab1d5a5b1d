package im.parley.slot;

import im.parley.api.lifecycle.ProviderException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Knows how to move what the providers of one slot keep. Registered as a service with the property {@link Slot#NAME} = the
 * slot's name; a slot with the handover {@code copy} opens nothing before its mover is there.
 *
 * <p>Everything users of the slot do goes through a {@link Tap}. While something moves, the tap writes down in the primary
 * itself what each transaction changes, and a {@link Feed} carries that over to the secondary: nobody writes to two stores.
 */
@ConsumerType
public interface Mover {
    /** Puts a tap on what a provider opened. Called once per opened object, before anyone uses it. */
    Tap tap(Object opened);

    /**
     * Between the users of a slot and what a provider opened. Thread-safe.
     */
    @ConsumerType
    interface Tap {
        /** What users are handed; of the slot's type. */
        Object object();

        /**
         * From now on, until {@link #quiet}, every transaction also writes down what it changes. Returns when no
         * transaction is under way that did not.
         *
         * @param directory for what the primary itself cannot hold; made if absent, may hold what an earlier run left
         */
        void journal(Path directory) throws ProviderException;

        /** Ends {@link #journal} and removes what it wrote. Fine if there is none. */
        void quiet() throws ProviderException;

        /**
         * Carries changes over to another opened object. The tap journals.
         *
         * @param secondary what another provider opened; untapped
         * @param position where to go on, as {@link Settled#position} told it or as kept in the directory; empty to carry
         *     over everything there is
         */
        Feed feed(Object secondary, String position) throws ProviderException;

        /**
         * Lets writers wait from now on; returns when none is under way.
         *
         * @return false if that took longer; then nothing waits
         */
        boolean hold(Duration limit) throws InterruptedException;

        /** While holding: whoever uses this tap from now on uses the other one. For good. */
        void redirect(Tap other);

        /** Ends {@link #hold}, on the thread that holds. */
        void release();
    }

    /** Carries over; used by one thread. */
    @ConsumerType
    interface Feed extends AutoCloseable {
        /**
         * Carries over some.
         *
         * @return how many changes are known to be left, 0 if none was found
         * @throws ProviderException what a store fails with; may be called again
         */
        long ship() throws ProviderException;

        /** For a progress bar. */
        Progress progress();

        /**
         * Compares both sides wholly, while the primary is used: every key, value and mark.
         *
         * @throws ProviderException {@code CORRUPT handover.differs} if a difference is found that no change explains;
         *     {@code REJECTED handover.cancelled}
         */
        Compared verify(BooleanSupplier cancelled) throws ProviderException;

        /**
         * While the tap holds: carries over the rest and compares what was carried over since {@link #verify}.
         *
         * @throws ProviderException as {@link #verify}
         */
        Settled settle() throws ProviderException;

        /** Keeps where it was. */
        @Override
        void close();
    }

    /**
     * @param done carried over in the first pass
     * @param total known to be there when it began, at least 1
     * @param changes carried over after it
     */
    record Progress(long done, long total, long changes) {}

    /**
     * What a comparison found.
     *
     * @param rows of the secondary
     * @param marks of the secondary that stand for what was deleted
     * @param primary sum of the SHA-256 of every row of the primary, hex
     * @param secondary the same of the secondary; differs only by what was changed while it ran
     * @param changed rows that were changed while it ran, which {@link Feed#settle} looks at again
     */
    record Compared(long rows, long marks, String primary, String secondary, long changed) {
        /** Whether nothing at all differed. */
        public boolean equal() {
            return primary.equals(secondary);
        }
    }

    /**
     * @param position of the secondary, for a feed in the other direction
     * @param shipped changes carried over while writers waited
     * @param compared changes read back since the comparison
     */
    record Settled(String position, long shipped, long compared) {}
}
