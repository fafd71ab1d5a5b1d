package im.parley.envelope.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import im.parley.envelope.Envelope;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Gift wraps as NIP-59 and NIP-17 have them; nothing is kept between calls. */
@Component(name = GiftEnvelope.PID, immediate = true)
public final class GiftEnvelope implements Envelope {
    static final String PID = "im.parley.envelope";
    /** Seal and wrap are dated back by up to this much, each on its own (NIP-59). */
    /** Seconds by which a layer may outlive its message. */
    private static final long MOST_LATER = 3_600;

    static final Duration BACKDATE = Duration.ofDays(2);

    private final Slot<Secp256k1> curve;
    private final InstantSource clock;
    private final SecureRandom random;

    @Activate
    public GiftEnvelope(
            @Reference(target = "(parley.slot=curve)") Slot<Secp256k1> curve,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        this.curve = curve;
        this.clock = clock;
        this.random = random;
    }

    @Override
    public CompletionStage<Event> wrap(
            Signer author, Rumor rumor, PublicKey to, boolean ephemeral, @Nullable Long expiration) {
        try {
            if (!author.publicKey().equals(rumor.pubkey())) {
                throw rejected("dm.sender-mismatch", "A message can be sealed only by who wrote it.");
            }
            if (!idOf(rumor).equals(rumor.id())) {
                throw rejected("dm.bad-rumor-id", "The message has an id that is not its own.");
            }
            String plaintext = fitting(EventWriter.write(rumor));
            return author.nip44Encrypt(to, plaintext)
                    .thenCompose(content -> author.sign(
                                    new EventTemplate(backdated(), Kinds.SEAL, expires(expiration), content),
                                    Purpose.SEAL)
                            .thenApply(seal ->
                                    checked(() -> wrap(own(seal, author, content), to, ephemeral, expiration))));
        } catch (ProviderException | RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** A signer may be a plugin or a machine far away: what it returns is sent only if it is what was asked for. */
    private Event own(Event seal, Signer author, String content) throws ProviderException {
        boolean asked = seal.kind() == Kinds.SEAL
                && seal.pubkey().equals(author.publicKey())
                && seal.content().equals(content);
        if (asked) {
            try (Lease<Secp256k1> lease = curve.acquire()) {
                EventVerifier.verify(seal, lease.get());
                return seal;
            } catch (ProtocolException e) {
                asked = false;
            }
        }
        throw new ProviderException(
                Kind.INTERNAL,
                "sign.wrong-result",
                "The signer returned something else than what it was asked to sign.");
    }

    private Event wrap(Event seal, PublicKey to, boolean ephemeral, @Nullable Long expiration)
            throws ProviderException {
        String plaintext = fitting(EventWriter.write(seal));
        List<List<String>> tags = new ArrayList<>();
        tags.add(List.of("p", to.hex()));
        tags.addAll(expires(expiration));
        byte[] secret = bytes(32);
        byte[] shared = new byte[0];
        byte[] key = new byte[0];
        try (Lease<Secp256k1> lease = curve.acquire()) {
            PublicKey once = PublicKey.of(lease.get().publicKey(secret));
            shared = lease.get().ecdhX(secret, to.bytes());
            key = Nip44.conversationKey(shared);
            String content = Nip44.encrypt(key, bytes(Nip44.NONCE), plaintext);
            long createdAt = backdated();
            int kind = ephemeral ? Kinds.EPHEMERAL_WRAP : Kinds.GIFT_WRAP;
            EventId id = EventHash.id(once, createdAt, kind, tags, content);
            byte[] signature = lease.get().sign(id.bytes(), secret, bytes(32));
            return new Event(id, once, createdAt, kind, tags, content, Signature.of(signature));
        } catch (CipherException e) {
            throw rejected(e.code(), e.getMessage());
        } catch (ProtocolException e) {
            throw rejected("dm.bad-wrap", e.getMessage() == null ? e.token() : e.getMessage());
        } finally {
            Arrays.fill(secret, (byte) 0);
            Arrays.fill(shared, (byte) 0);
            Arrays.fill(key, (byte) 0);
        }
    }

    @Override
    public CompletionStage<Opened> unwrap(Signer recipient, Event wrap) {
        try {
            if (wrap.content().length() > MAX_CONTENT_CHARS) {
                throw tooLarge();
            }
            if (!Kinds.isWrap(wrap.kind())) {
                throw rejected("dm.bad-wrap", "The event is no gift wrap.");
            }
            if (!wrap.tagValues("p").contains(recipient.publicKey().hex())) {
                throw rejected("dm.not-for-me", "The gift wrap is addressed to somebody else.");
            }
            try (Lease<Secp256k1> lease = curve.acquire()) {
                EventVerifier.verify(wrap, lease.get());
            } catch (ProtocolException e) {
                throw rejected("dm.bad-wrap", "The gift wrap is not what its one-time key signed.");
            }
            return recipient
                    .nip44Decrypt(wrap.pubkey(), wrap.content())
                    .thenApply(json -> checked(() -> seal(json)))
                    .thenCompose(seal -> recipient
                            .nip44Decrypt(seal.pubkey(), seal.content())
                            .thenApply(json -> checked(() -> new Opened(rumor(json, seal), seal.pubkey()))));
        } catch (ProviderException | RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private Event seal(String json) throws ProviderException {
        if (json.length() > MAX_CONTENT_CHARS) {
            throw tooLarge();
        }
        Event seal;
        try {
            seal = EventReader.read(json);
        } catch (ProtocolException e) {
            throw rejected("dm.bad-seal", "The gift wrap holds no event.");
        }
        if (seal.kind() != Kinds.SEAL || !sealTags(seal.tags())) {
            throw rejected("dm.bad-seal", "What the gift wrap holds is no seal: wrong kind, or tags it must not have.");
        }
        try (Lease<Secp256k1> lease = curve.acquire()) {
            EventVerifier.verify(seal, lease.get());
        } catch (ProtocolException e) {
            throw rejected("dm.seal-bad-sig", "The seal is not signed by the key it names.");
        }
        return seal;
    }

    /** None (NIP-59), or one expiration (NIP-17). */
    private static boolean sealTags(List<List<String>> tags) {
        return tags.isEmpty()
                || tags.size() == 1
                        && tags.get(0).size() == 2
                        && tags.get(0).get(0).equals("expiration")
                        && isSeconds(tags.get(0).get(1));
    }

    private static boolean isSeconds(String text) {
        boolean digits = !text.isEmpty() && text.length() <= 16;
        for (int i = 0; digits && i < text.length(); i++) {
            digits = text.charAt(i) >= '0' && text.charAt(i) <= '9';
        }
        return digits;
    }

    /** A rumor without an id gets the one it must have; some clients leave it out. */
    private static Rumor rumor(String json, Event seal) throws ProviderException {
        if (json.length() > MAX_CONTENT_CHARS) {
            throw tooLarge();
        }
        Rumor rumor;
        try {
            rumor = EventReader.readRumor(json);
        } catch (ProtocolException e) {
            throw switch (e.token()) {
                case "signed-rumor" -> rejected("dm.signed-rumor", "The message carries a signature it must not have.");
                case "id" -> rejected("dm.bad-rumor-id", "The message has an id that is not its own.");
                default -> rejected("dm.bad-seal", "The seal holds no message.");
            };
        }
        if (!rumor.pubkey().equals(seal.pubkey())) {
            throw rejected("dm.sender-mismatch", "The message names another author than the key that sealed it.");
        }
        return rumor;
    }

    private static EventId idOf(Rumor rumor) throws ProviderException {
        try {
            return EventHash.id(rumor.pubkey(), rumor.createdAt(), rumor.kind(), rumor.tags(), rumor.content());
        } catch (ProtocolException e) {
            throw rejected("dm.bad-rumor-id", "The message holds text that no event can have.");
        }
    }

    /** Some peers refuse more than 65,535 bytes in one layer, so nothing larger is sent. */
    private static String fitting(String plaintext) throws ProviderException {
        int limit = Nip44.INTEROPERABLE_PLAINTEXT;
        if (plaintext.length() > limit || plaintext.getBytes(StandardCharsets.UTF_8).length > limit) {
            throw tooLarge();
        }
        return plaintext;
    }

    /**
     * Never before that time, and a little later by chance: two layers, or the copies of one message, shall not be known by
     * a number they share.
     */
    private List<List<String>> expires(@Nullable Long expiration) {
        if (expiration == null) {
            return List.of();
        }
        long left = Math.max(0, expiration - clock.instant().getEpochSecond());
        long later = random.nextLong(Math.min(MOST_LATER, left / 4) + 1);
        return List.of(List.of("expiration", Long.toString(expiration + later)));
    }

    private long backdated() {
        return clock.instant().getEpochSecond() - random.nextLong(BACKDATE.toSeconds() + 1);
    }

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    @FunctionalInterface
    private interface Checked<T> {
        T get() throws ProviderException;
    }

    private static <T> T checked(Checked<T> step) {
        try {
            return step.get();
        } catch (ProviderException e) {
            throw new CompletionException(e);
        }
    }

    private static ProviderException tooLarge() {
        return rejected("dm.too-large", "The message is larger than a gift wrap may be.");
    }

    private static ProviderException rejected(String code, String text) {
        return new ProviderException(Kind.REJECTED, code, text);
    }
}
