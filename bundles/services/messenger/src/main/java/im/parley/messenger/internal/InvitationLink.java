package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Circles;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * {@code parley:circle?name=…&by=nprofile1…&relay=…&file=…}: each value encoded for a query, {@code name} and {@code by}
 * once, {@code about} and {@code from} at most once, the others several times. It has no secrets: whoever reads it learns
 * where a circle meets, and can write to who invites, as anybody can who has her address.
 */
final class InvitationLink {
    private static final String PREFIX = "parley:circle?";
    /** With everything as long as it may be and encoded. */
    private static final int MAX_LENGTH = 24_000;

    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");

    private InvitationLink() {}

    /** @param inviter with her inbox relays as hints */
    static String write(
            String circle,
            String description,
            String from,
            PublicKey inviter,
            List<URI> hints,
            List<URI> relays,
            List<URI> fileServers) {
        StringBuilder link = new StringBuilder(PREFIX).append("name=").append(encoded(circle));
        if (!description.isEmpty()) {
            link.append("&about=").append(encoded(description));
        }
        link.append("&from=").append(encoded(from));
        link.append("&by=")
                .append(Nip19.nprofile(
                        inviter, hints.stream().map(URI::toString).toList()));
        relays.forEach(relay -> link.append("&relay=").append(encoded(relay.toString())));
        fileServers.forEach(server -> link.append("&file=").append(encoded(server.toString())));
        return link.toString();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    /** What a link says, with the inviter's address as it stands there. */
    record Read(Circles.Invitation invitation, String profile) {}

    static Read read(String typed) throws ProviderException {
        String link = typed.strip();
        if (link.length() > MAX_LENGTH || !link.regionMatches(true, 0, PREFIX, 0, PREFIX.length())) {
            throw bad("It does not begin with " + PREFIX + ", or is longer than any such link.");
        }
        List<String> names = new ArrayList<>();
        List<String> about = new ArrayList<>();
        List<String> from = new ArrayList<>();
        List<String> by = new ArrayList<>();
        Set<URI> relays = new LinkedHashSet<>();
        Set<URI> fileServers = new LinkedHashSet<>();
        for (String part : link.substring(PREFIX.length()).split("&", -1)) {
            int equals = part.indexOf('=');
            if (equals < 1) {
                throw bad("A part of it has no value.");
            }
            String value = decoded(part.substring(equals + 1));
            switch (part.substring(0, equals)) {
                case "name" -> names.add(Names.checked(value, "invitation.bad"));
                case "about" -> about.add(description(value, "invitation.bad"));
                case "from" -> from.add(Names.checked(value, "invitation.bad"));
                case "by" -> by.add(value);
                case "relay" -> relays.add(relay(value, "invitation.bad"));
                case "file" -> fileServers.add(fileServer(value, "invitation.bad"));
                default -> {
                    // A newer version may say more.
                }
            }
        }
        if (names.size() != 1 || by.size() != 1 || about.size() > 1 || from.size() > 1) {
            throw bad("It must name one circle and one person.");
        }
        if (relays.size() > Circles.MAX_RELAYS || fileServers.size() > Circles.MAX_FILE_SERVERS) {
            throw bad("It names more relays or file servers than a circle has.");
        }
        return new Read(
                new Circles.Invitation(
                        link,
                        names.get(0),
                        about.isEmpty() ? "" : about.get(0),
                        from.isEmpty() ? "" : from.get(0),
                        inviter(by.get(0)),
                        List.copyOf(relays),
                        List.copyOf(fileServers)),
                by.get(0));
    }

    private static String decoded(String text) throws ProviderException {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw bad("A part of it is not encoded as it must be.");
        }
    }

    private static String inviter(String profile) throws ProviderException {
        try {
            Nip19.Entity entity = Nip19.decode(profile);
            if (entity instanceof Nip19.Profile person) {
                return Nip19.npub(person.pubkey());
            }
            if (entity instanceof Nip19.Npub person) {
                return Nip19.npub(person.pubkey());
            }
            if (entity instanceof Nip19.Nsec secret) {
                secret.clear();
            }
            throw bad("It does not say who invites.");
        } catch (ProtocolException e) {
            throw bad("It does not say who invites.");
        }
    }

    static URI relay(String text, String code) throws ProviderException {
        try {
            return RelayUrls.normalise(text.strip());
        } catch (ProtocolException e) {
            throw Rejected.of(code, "This is no relay address: " + e.getMessage() + ".");
        }
    }

    /** Normal enough to compare: scheme and host in lower case, no slash at the end. */
    static URI fileServer(String text, String code) throws ProviderException {
        try {
            URI uri = new URI(text.strip());
            String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
            String host = uri.getHost() == null ? "" : uri.getHost().toLowerCase(Locale.ROOT);
            boolean plain = scheme.equals("https") || scheme.equals("http") && LOOPBACK.contains(host);
            if (!plain
                    || host.isEmpty()
                    || text.length() > RelayUrls.MAX_LENGTH
                    || uri.getRawUserInfo() != null
                    || uri.getRawQuery() != null
                    || uri.getRawFragment() != null
                    || !text.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
                throw notFileServer(code);
            }
            String path = uri.getRawPath() == null ? "" : uri.getRawPath().replaceAll("/+$", "");
            String port = uri.getPort() < 0 ? "" : ":" + uri.getPort();
            return new URI(scheme + "://" + host + port + path);
        } catch (URISyntaxException e) {
            throw notFileServer(code);
        }
    }

    private static ProviderException notFileServer(String code) {
        return Rejected.of(
                code, "This is no address of a file server. Give it as https://host, without user name and query.");
    }

    static String description(String text, String code) throws ProviderException {
        if (text.isEmpty()) {
            return text;
        }
        if (text.codePointCount(0, text.length()) > Circles.MAX_DESCRIPTION
                || text.codePoints().anyMatch(c -> !Names.isVisible(c))) {
            throw Rejected.of(
                    code,
                    "A description is one line of up to " + Circles.MAX_DESCRIPTION
                            + " characters. Choose a shorter one.");
        }
        return text;
    }

    private static ProviderException bad(String why) {
        return Rejected.of("invitation.bad", "This is no invitation to a circle. " + why);
    }
}
