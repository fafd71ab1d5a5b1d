package im.parley.outbox.simulation;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.envelope.Envelope;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventWriter;
import im.parley.protocol.ProtocolException;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Gift wraps that are not wrapped: each has its own id and a random date, and anybody could read it. */
public final class OpenEnvelope implements Envelope {
    private final InstantSource clock;
    private final RandomGenerator random;

    public OpenEnvelope(InstantSource clock, RandomGenerator random) {
        this.clock = clock;
        this.random = random;
    }

    @Override
    public CompletionStage<Event> wrap(
            Signer author, Rumor rumor, PublicKey to, boolean ephemeral, @Nullable Long expiration) {
        byte[] once = new byte[32];
        random.nextBytes(once);
        long at = clock.instant().getEpochSecond() - random.nextLong(172_800);
        return author.nip44Encrypt(to, EventWriter.write(rumor))
                .thenApply(content -> SimulatedKeys.signed(
                        PublicKey.of(once),
                        new EventTemplate(at, ephemeral ? 21059 : 1059, List.of(List.of("p", to.hex())), content)));
    }

    @Override
    public CompletionStage<Opened> unwrap(Signer recipient, Event wrap) {
        if (!wrap.tagValues("p").contains(recipient.publicKey().hex())) {
            return CompletableFuture.failedFuture(new ProviderException(Kind.REJECTED, "dm.not-for-me", "Not mine."));
        }
        return recipient.nip44Decrypt(wrap.pubkey(), wrap.content()).thenApply(json -> {
            try {
                Rumor rumor = EventReader.readRumor(json);
                return new Opened(rumor, rumor.pubkey());
            } catch (ProtocolException e) {
                throw new CompletionException(new ProviderException(Kind.REJECTED, "dm.bad-seal", "No rumor."));
            }
        });
    }
}
