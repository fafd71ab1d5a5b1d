package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.SealedSpace.Tx;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which bucket of the vault a text lies in, and how one is erased for good: not even who has the circle's key brings back what
 * lay in a bucket that was shredded. Messages that vanish in one second share a bucket. Of the others {@value #BLOCK} that
 * follow each other do; when one of them is taken away, the rest move to the bucket's next secret.
 */
final class Erasing {
    /** Few to write again for one that goes, and few secrets for many messages. */
    static final int BLOCK = 64;

    private static final long VANISHING = 1L << 62;
    private static final long STAYING = 1L << 61;
    private static final long SECONDS = (1L << 40) - 1;

    /** A bucket out of which something was taken in this transaction, by one of what was in it. */
    private final Map<Long, Taken> taken = new TreeMap<>();

    private record Taken(PublicKey account, Line line) {}

    static long bucket(PublicKey account, Line line) {
        if (line.expires() > 0) {
            byte[] key = account.bytes();
            long own = (key[0] & 0xffL) << 8 | key[1] & 0xffL;
            return VANISHING | own << 40 | Math.min(line.expires(), SECONDS);
        }
        return STAYING | line.position() / BLOCK;
    }

    /** A message was taken away, or its text was. */
    void took(PublicKey account, Line line) {
        taken.put(bucket(account, line), new Taken(account, line));
    }

    private record Kept(PublicKey account, Line line, List<Versions.Version> versions, List<List<String>> file) {}

    /** Before the end of the transaction: what stays of those buckets gets a new secret. */
    void finish(Tx tx) throws ProviderException {
        for (Map.Entry<Long, Taken> entry : taken.entrySet()) {
            List<Kept> kept = new ArrayList<>();
            Taken one = entry.getValue();
            if (one.line().expires() > 0) {
                keep(tx, one.account(), Book.over(tx, one.account(), one.line().expires()), kept);
            } else {
                long from = one.line().position() / BLOCK * BLOCK;
                for (Account account : Book.accounts(tx)) {
                    keep(tx, account.pubkey(), Book.between(tx, account.pubkey(), from, from + BLOCK), kept);
                }
            }
            kept.removeIf(other -> bucket(other.account(), other.line()) != entry.getKey());
            tx.shred(entry.getKey());
            for (Kept other : kept) {
                Book.put(tx, other.account(), other.line());
                for (Versions.Version version : other.versions()) {
                    Versions.put(tx, other.account(), other.line(), version);
                }
                if (!other.file().isEmpty()) {
                    FileMessages.describe(tx, other.account(), other.line(), other.file());
                }
            }
        }
        taken.clear();
    }

    private static void keep(Tx tx, PublicKey account, List<Line> lines, List<Kept> kept) throws ProviderException {
        for (Line line : lines) {
            kept.add(new Kept(
                    account,
                    line,
                    line.edits() > 0 ? Versions.of(tx, account, line.id()) : List.of(),
                    FileMessages.tags(tx, account, line)));
        }
    }
}
