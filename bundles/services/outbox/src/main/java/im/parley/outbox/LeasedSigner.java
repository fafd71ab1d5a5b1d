package im.parley.outbox;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;

/**
 * A signer of the host's own that leases the slot {@code identity} for each operation, so that it may be kept while the
 * provider behind it is swapped. Stages are the host's and complete after the lease was closed. Thread-safe.
 */
public final class LeasedSigner implements Signer {
    private final Slot<IdentityProvider> slot;
    private final PublicKey identity;
    private final Set<Purpose> purposes;

    public LeasedSigner(Slot<IdentityProvider> slot, PublicKey identity, Purpose... purposes) {
        this.slot = slot;
        this.identity = identity;
        this.purposes = Set.of(purposes);
    }

    @Override
    public PublicKey publicKey() {
        return identity;
    }

    @Override
    public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
        return with(signer -> signer.sign(template, purpose));
    }

    @Override
    public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
        return with(signer -> signer.nip44Encrypt(peer, plaintext));
    }

    @Override
    public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
        return with(signer -> signer.nip44Decrypt(peer, payload));
    }

    private <T> CompletionStage<T> with(Function<Signer, CompletionStage<T>> use) {
        Lease<IdentityProvider> lease;
        try {
            lease = slot.acquire();
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            use.apply(lease.get().open(identity, purposes)).whenComplete((value, failure) -> {
                lease.close();
                if (failure == null) {
                    result.complete(value);
                } else {
                    result.completeExceptionally(Failures.of(failure));
                }
            });
        } catch (ProviderException | RuntimeException | Error e) {
            // An Error too: a provider that is leaving may no longer find its own classes.
            lease.close();
            result.completeExceptionally(Failures.of(e));
        }
        return result;
    }
}
