package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.EOFException;
import java.io.IOException;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Turns Derby's exceptions into those of the API. Only SQL states are passed on: messages of Derby may quote what they
 * were given, and neither a key nor a row may reach a log.
 */
final class Failures {
    /** Derby's severity of an error after which the connection or the whole database is gone. */
    private static final int SESSION_SEVERITY = 40_000;

    /** Derby's severity of an error that rolled back the transaction. */
    private static final int TRANSACTION_SEVERITY = 30_000;

    private static final Set<String> FULL = Set.of("XSDG1", "XSLA4", "XSLAL");
    private static final Set<String> READ_ONLY = Set.of("25502", "25503", "25505", "40XD1", "XSLAQ");
    private static final Set<String> WRONG_KEY =
            Set.of("XBCXK", "XBCXA", "XBM06", "XBCX6", "XBCX9", "XBCX0", "XBCXB", "XBCXN");
    /**
     * A page with a wrong checksum or an unknown format, a container without a header, an index that does not fit, a table
     * that is gone with the end of the log that made it.
     */
    private static final Set<String> DAMAGED =
            Set.of("XBM0U", "XSDG2", "XSDBB", "XSDB1", "XSDFB", "XSLA6", "XSLA7", "XSLAJ", "42X05");

    private static final Set<String> LOCKED = Set.of("XSDB6", "XSDB8");

    private Failures() {}

    /** A failure of an open database. */
    static ProviderException of(SQLException e) {
        Set<String> states = states(e);
        if (isDamaged(e, states)) {
            return corrupt("The store has a damaged file", states);
        }
        if (isFull(e, states)) {
            return full(states);
        }
        if (containsAny(states, READ_ONLY) || said(e, "Read-only file system")) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.readonly",
                    "The store can be read but not written: its disk is full or mounted read-only; it goes on by itself "
                            + "when that is mended. Derby said " + states + ".");
        }
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The store could not do it and nothing was changed; see whether the disk is well. Derby said " + states
                        + ".");
    }

    /** A failure to open. */
    static ProviderException atBoot(SQLException e) {
        Set<String> states = states(e);
        if (containsAny(states, LOCKED)) {
            return locked();
        }
        if (containsAny(states, WRONG_KEY)) {
            return new ProviderException(
                    Kind.CORRUPT,
                    "store.wrong-key",
                    "The key of this store does not fit its data; restore data and vault of the same backup. Derby said "
                            + states + ".");
        }
        if (isDamaged(e, states)) {
            return corrupt("The store has a damaged file", states);
        }
        if (isFull(e, states)) {
            return full(states);
        }
        if (chain(e).stream().anyMatch(IOException.class::isInstance)) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The store could not be opened, its files cannot be read or written; check the disk and the rights. "
                            + "Derby said " + states + ".");
        }
        if (states.contains("XJ001") || states.stream().noneMatch(state -> state.startsWith("X"))) {
            return new ProviderException(
                    Kind.INTERNAL,
                    "storage.internal",
                    "The store met a fault of its own while it was opened; please report it. Derby said " + states
                            + ".");
        }
        return corrupt("The store could not be opened, its files are not what was written", states);
    }

    private static ProviderException corrupt(String what, Set<String> states) {
        return new ProviderException(
                Kind.CORRUPT,
                "store.corrupt",
                what + "; see whether the disk is well and restore a backup of the whole data directory. Derby said "
                        + states + ".");
    }

    static ProviderException locked() {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "store.locked",
                "The store is in use by another process or by an older version of this provider; stop that one first.");
    }

    static ProviderException closed() {
        return new ProviderException(
                Kind.UNAVAILABLE, "store.closed", "The store was closed; take a new lease and try again.");
    }

    /** A commit whose end is not known, because the store did not come back to tell. */
    static ProviderException unknown(ProviderException why) {
        return new ProviderException(
                why.kind(),
                why.code(),
                "The store was lost while it was writing; whether the last changes were kept shows when it is back. "
                        + why.getMessage());
    }

    private static ProviderException full(Set<String> states) {
        return new ProviderException(
                Kind.EXHAUSTED,
                "storage.full",
                "The disk is full and nothing was changed; free some space, the store goes on by itself. Derby said "
                        + states + ".");
    }

    /** A disk that is nearly full. */
    static ProviderException full(long freeBytes) {
        return new ProviderException(
                Kind.EXHAUSTED,
                "storage.full",
                "The disk has only " + (freeBytes >> 20)
                        + " MiB left, so nothing was written, but everything can be read; "
                        + "free some space, the store goes on by itself.");
    }

    /** A folder that cannot be written to. */
    static ProviderException readOnly(IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.readonly",
                "The store can be read but not written: its disk is mounted read-only, or its folder belongs to somebody "
                        + "else; it goes on by itself when that is mended.",
                e);
    }

    /** Whether Derby opened the database without being able to write its files, which it does on a full disk too. */
    static boolean isReadOnly(SQLException e) {
        return containsAny(states(e), READ_ONLY);
    }

    /** Whether the connection, or more, is lost. */
    static boolean isFatal(SQLException e) {
        return maxSeverity(e) >= SESSION_SEVERITY;
    }

    /** Whether the whole transaction is rolled back already, savepoints and all. */
    static boolean endedTransaction(SQLException e) {
        return maxSeverity(e) >= TRANSACTION_SEVERITY;
    }

    private static int maxSeverity(SQLException e) {
        int severity = 0;
        for (Throwable part : chain(e)) {
            if (part instanceof SQLException sql) {
                severity = Math.max(severity, sql.getErrorCode());
                String state = sql.getSQLState();
                if (state != null && state.startsWith("08")) {
                    severity = Math.max(severity, SESSION_SEVERITY);
                }
            }
        }
        return severity;
    }

    /** Derby asks whether the disk is full whenever a page cannot be written; what the system said knows better. */
    private static boolean isFull(SQLException e, Set<String> states) {
        return containsAny(states, FULL) && !said(e, "Input/output error") && !said(e, "Read-only file system")
                || said(e, "No space left")
                || said(e, "quota exceeded");
    }

    private static boolean isDamaged(SQLException e, Set<String> states) {
        // A file that ends too early, or bytes that Derby stumbles over: it checks pages, but not all that is in them.
        return containsAny(states, DAMAGED)
                || chain(e).stream().anyMatch(part -> part instanceof EOFException || part instanceof RuntimeException);
    }

    private static boolean said(SQLException e, String text) {
        return chain(e).stream()
                .anyMatch(part -> part instanceof IOException
                        && String.valueOf(part.getMessage()).contains(text));
    }

    private static boolean containsAny(Set<String> states, Set<String> wanted) {
        return !Collections.disjoint(states, wanted);
    }

    static Set<String> states(SQLException e) {
        Set<String> states = new LinkedHashSet<>();
        for (Throwable part : chain(e)) {
            if (part instanceof SQLException sql && sql.getSQLState() != null) {
                states.add(sql.getSQLState());
            } else {
                // Derby's own exceptions begin with "ERROR XSDG1: "; of all others only the kind is told.
                String text = String.valueOf(part.getMessage());
                boolean derbys = text.startsWith("ERROR ") && text.length() > 11 && text.charAt(11) == ':';
                states.add(derbys ? text.substring(6, 11) : part.getClass().getSimpleName());
            }
        }
        return states;
    }

    /** Everything reachable by cause and next exception. */
    private static Set<Throwable> chain(SQLException e) {
        Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        Set<Throwable> ordered = new LinkedHashSet<>();
        Deque<Throwable> open = new ArrayDeque<>();
        open.add(e);
        while (!open.isEmpty()) {
            Throwable part = open.remove();
            if (seen.add(part)) {
                ordered.add(part);
                if (part.getCause() != null) {
                    open.add(part.getCause());
                }
                if (part instanceof SQLException sql && sql.getNextException() != null) {
                    open.add(sql.getNextException());
                }
            }
        }
        return ordered;
    }
}
