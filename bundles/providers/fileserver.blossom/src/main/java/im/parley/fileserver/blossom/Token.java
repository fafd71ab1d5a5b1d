package im.parley.fileserver.blossom;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.Sha256;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Kinds;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The authorization for one verb, one blob and one server (BUD-11), signed when it is needed and again before it expires.
 * Used by one thread.
 */
final class Token {
    private static final long LIFE_SECONDS = 3_600;
    private static final long SIGN_AGAIN_SECONDS = 300;
    /** It has to be of the past by the server's clock. */
    private static final long BACK_SECONDS = 5;
    /** A remote signer may ask a human. */
    private static final long SIGNING_SECONDS = 120;

    private final Signer signer;
    private final String verb;
    private final Sha256 hash;
    private final String host;
    private final InstantSource clock;
    private @Nullable String header;
    private long expiration;

    Token(Signer signer, String verb, Sha256 hash, String host, InstantSource clock) {
        this.signer = signer;
        this.verb = verb;
        this.hash = hash;
        this.host = host;
        this.clock = clock;
    }

    /** For the header {@code Authorization}. */
    String header() throws ProviderException {
        long now = clock.instant().getEpochSecond();
        String known = header;
        if (known != null && now < expiration - SIGN_AGAIN_SECONDS) {
            return known;
        }
        expiration = now + LIFE_SECONDS;
        EventTemplate template = new EventTemplate(
                now - BACK_SECONDS,
                Kinds.FILE_AUTH,
                List.of(
                        List.of("t", verb),
                        List.of("x", hash.hex()),
                        List.of("expiration", Long.toString(expiration)),
                        List.of("server", host.toLowerCase(Locale.ROOT))),
                "Parley: " + verb + " an encrypted file");
        byte[] json = EventWriter.write(signed(template)).getBytes(StandardCharsets.UTF_8);
        String fresh = "Nostr " + Base64.getUrlEncoder().withoutPadding().encodeToString(json);
        header = fresh;
        return fresh;
    }

    private Event signed(EventTemplate template) throws ProviderException {
        try {
            return signer.sign(template, Purpose.FILE_AUTH)
                    .toCompletableFuture()
                    .get(SIGNING_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ProviderException expected) {
                throw expected;
            }
            throw new ProviderException(
                    Kind.UNAVAILABLE, "fileserver.unsigned", "The authorization could not be signed; try again.", e);
        } catch (TimeoutException e) {
            throw new ProviderException(
                    Kind.TIMEOUT, "fileserver.unsigned", "Nobody signed the authorization in time; try again.", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ProviderException(
                    Kind.UNAVAILABLE, "fileserver.unsigned", "The work was ended before it was authorized.", e);
        }
    }
}
