package im.parley.backup.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;

/** What backups fail with. */
final class Failures {
    private Failures() {}

    /** @param what the sentence goes on after "could not" */
    static ProviderException io(String what, IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "backup.io-error",
                "The backup could not " + what + ": " + e
                        + ". Check the directory, its free space and who owns it; earlier snapshots are whole.");
    }

    static ProviderException damaged(String what) {
        return new ProviderException(
                Kind.CORRUPT,
                "backup.damaged",
                "The backup is not as it was written: " + what
                        + ". ./parley backup verify says which snapshots are whole.");
    }
}
