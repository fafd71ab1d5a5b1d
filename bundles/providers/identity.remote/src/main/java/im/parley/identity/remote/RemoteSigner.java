package im.parley.identity.remote;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.nip46.Rpc;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Acts with a key that is elsewhere; what comes back is checked against what was asked. */
final class RemoteSigner implements Signer {
    private final SignerSession session;
    private final Slot<Secp256k1> curve;
    private final PublicKey identity;
    private final Set<Purpose> purposes;

    RemoteSigner(SignerSession session, Slot<Secp256k1> curve, PublicKey identity, Set<Purpose> purposes) {
        this.session = session;
        this.curve = curve;
        this.identity = identity;
        this.purposes = Set.copyOf(purposes);
    }

    @Override
    public PublicKey publicKey() {
        return identity;
    }

    @Override
    public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
        if (!purposes.contains(purpose) || !purpose.covers(template.kind())) {
            return CompletableFuture.failedFuture(new ProviderException(
                    Kind.REJECTED,
                    "sign.kind-denied",
                    "A signature of kind " + template.kind() + " for " + purpose
                            + " is not among the purposes this signer was opened for."));
        }
        return session.ask("sign_event", List.of(Rpc.write(template)), SignerSession.PATIENCE)
                .thenCompose(result -> {
                    try {
                        return CompletableFuture.completedFuture(checked(result, template));
                    } catch (ProviderException e) {
                        return CompletableFuture.failedFuture(e);
                    }
                });
    }

    private Event checked(String result, EventTemplate template) throws ProviderException {
        Event event;
        try (Lease<Secp256k1> lease = curve.acquire()) {
            event = EventReader.read(result);
            EventVerifier.verify(event, lease.get());
        } catch (ProtocolException e) {
            throw mismatch();
        }
        if (!event.pubkey().equals(identity)
                || event.kind() != template.kind()
                || event.createdAt() != template.createdAt()
                || !event.tags().equals(template.tags())
                || !event.content().equals(template.content())) {
            throw mismatch();
        }
        return event;
    }

    static ProviderException mismatch() {
        return new ProviderException(
                Kind.REJECTED,
                "nip46.result-mismatch",
                "The remote signer answered with something else than it was asked for; it was not used.");
    }

    @Override
    public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
        return session.ask("nip44_encrypt", List.of(peer.hex(), plaintext), SignerSession.PATIENCE);
    }

    @Override
    public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
        return session.ask("nip44_decrypt", List.of(peer.hex(), payload), SignerSession.PATIENCE);
    }

    @Override
    public String toString() {
        return "RemoteSigner[" + identity + ", " + purposes + "]";
    }
}
