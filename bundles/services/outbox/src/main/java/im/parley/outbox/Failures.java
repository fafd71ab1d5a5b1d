package im.parley.outbox;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** What a failed stage failed with, as the one exception the core acts on. */
public final class Failures {
    private Failures() {}

    /** The {@code ProviderException} inside, or {@code INTERNAL core.unexpected} around whatever else it was. */
    public static ProviderException of(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            @Nullable Throwable inner = cause.getCause();
            cause = inner == null ? cause : inner;
        }
        if (cause instanceof ProviderException expected) {
            return expected;
        }
        return new ProviderException(
                Kind.INTERNAL,
                "core.unexpected",
                "An unexpected " + cause.getClass().getSimpleName() + " ended the work; it is tried again.",
                cause);
    }
}
