package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** How many bytes of heap things take, rounded up: two for each character, and what objects and tables cost. */
final class Weight {
    /** An id that is remembered in a set. */
    static final long ID = 128;

    private static final long TEXT = 64;
    private static final long EVENT = 512;
    private static final long TAG = 64;
    private static final long FILTER = 512;
    /** An id or key in the sets of a filter, with the narrowed copy that a query holds. */
    private static final long VALUE = 112;
    /** A key of the live index. */
    private static final long INDEXED = 128;

    private Weight() {}

    static long of(String text) {
        return TEXT + 2L * text.length();
    }

    static long of(Event event) {
        long bytes = EVENT + 2L * event.content().length();
        for (List<String> tag : event.tags()) {
            bytes += TAG;
            for (String value : tag) {
                bytes += of(value);
            }
        }
        return bytes;
    }

    /** A subscription with these filters, filed in the live index. */
    static long of(List<Filter> filters) {
        long bytes = 0;
        for (Filter filter : filters) {
            bytes += FILTER + VALUE * (size(filter.ids()) + size(filter.authors()) + size(filter.kinds()));
            for (Set<String> values : filter.tags().values()) {
                for (String value : values) {
                    bytes += VALUE + 2L * value.length();
                }
            }
            bytes += INDEXED * LiveIndex.keyCount(filter);
        }
        return bytes;
    }

    private static long size(@Nullable Set<?> values) {
        return values == null ? 0 : values.size();
    }
}
