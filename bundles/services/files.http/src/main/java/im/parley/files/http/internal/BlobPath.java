package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import java.util.regex.Pattern;

/** A path that names a blob: its hash and perhaps an extension, which says nothing (BUD-01). */
record BlobPath(Sha256 hash) {
    private static final int HASH_END = 1 + 2 * Sha256.LENGTH;
    private static final Pattern EXTENSION = Pattern.compile("(\\.[A-Za-z0-9]{1,16}){0,2}");

    /** @throws Refusal 404 {@code path.absent}; only what is exactly such a path ever becomes the name of a file */
    static BlobPath of(String path) throws Refusal {
        Sha256 hash = path.length() < HASH_END ? null : Hashes.parse(path.substring(1, HASH_END));
        if (hash == null || !EXTENSION.matcher(path.substring(HASH_END)).matches()) {
            throw new Refusal(
                    404, "path.absent", "A blob is at its SHA-256 in lower-case hex, perhaps with an extension.");
        }
        return new BlobPath(hash);
    }
}
