package im.parley.identity.local;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Acts for one identity; holds no key. All stages are complete when they are returned. */
final class LocalSigner implements Signer {
    private final LocalIdentities identities;
    private final PublicKey identity;
    private final Set<Purpose> purposes;

    LocalSigner(LocalIdentities identities, PublicKey identity, Set<Purpose> purposes) {
        this.identities = identities;
        this.identity = identity;
        this.purposes = Set.copyOf(purposes);
    }

    @Override
    public PublicKey publicKey() {
        return identity;
    }

    @Override
    public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
        return completed(() -> {
            if (!purposes.contains(purpose) || !purpose.covers(template.kind())) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "sign.kind-denied",
                        "A signature of kind " + template.kind() + " for " + purpose
                                + " is not among the purposes this signer was opened for.");
            }
            return identities.sign(identity, template);
        });
    }

    @Override
    public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
        return completed(() -> identities.encrypt(identity, peer, plaintext));
    }

    @Override
    public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
        return completed(() -> identities.decrypt(identity, peer, payload));
    }

    @Override
    public String toString() {
        return "LocalSigner[" + identity + ", " + purposes + "]";
    }

    private static <T> CompletionStage<T> completed(Operation<T> operation) {
        try {
            return CompletableFuture.completedFuture(operation.run());
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @FunctionalInterface
    private interface Operation<T> {
        T run() throws ProviderException;
    }
}
