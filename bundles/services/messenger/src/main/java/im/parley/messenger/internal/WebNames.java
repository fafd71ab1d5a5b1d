package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.Web;
import im.parley.messenger.InternetNames;
import im.parley.protocol.Nip05;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Asks {@code /.well-known/nostr.json} of a domain. */
@Component(name = "im.parley.messenger.names", service = InternetNames.class)
public final class WebNames implements InternetNames {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int OK = 200;

    private final Web web;

    @Activate
    public WebNames(@Reference Web web) {
        this.web = web;
    }

    @Override
    public Found find(Scope scope, String text) throws ProviderException {
        Nip05 address = Nip05.read(text);
        if (address == null) {
            throw Rejected.of("nip05.bad-address", "This is no name such as bob@example.org.");
        }
        Web.Answer answer;
        try {
            answer = web.get(scope, address.document(), Nip05.MAX_BYTES, "nip05", PATIENCE);
        } catch (ProviderException e) {
            if (e.kind() == Kind.REJECTED) {
                throw e;
            }
            if (e.code().equals("web.too-large")) {
                throw badAnswer();
            }
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "nip05.unreachable",
                    address.domain() + " could not be asked (" + e.code() + "). Try again later, or ask for an npub.");
        }
        if (answer.status() / 100 == 3) {
            // NIP-05: a redirect must be ignored, for whoever can make one could answer for the domain.
            throw Rejected.of("nip05.redirect", address.domain() + " points elsewhere, which is not followed.");
        }
        if (answer.status() != OK) {
            throw Rejected.of("nip05.unknown", address.domain() + " knows nobody of this name.");
        }
        try {
            Nip05.Found found = address.find(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(answer.body()))
                    .toString());
            if (found == null) {
                throw Rejected.of("nip05.unknown", address.domain() + " knows nobody of this name.");
            }
            return new Found(
                    address.name() + "@" + address.domain(),
                    found.pubkey(),
                    Nip19.nprofile(
                            found.pubkey(),
                            found.relays().stream().map(URI::toString).toList()));
        } catch (CharacterCodingException | ProtocolException e) {
            throw badAnswer();
        }
    }

    private static ProviderException badAnswer() {
        return Rejected.of("nip05.bad-answer", "What the domain answered is no document of names.");
    }
}
