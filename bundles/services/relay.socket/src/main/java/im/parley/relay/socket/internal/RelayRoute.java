package im.parley.relay.socket.internal;

import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.http.HttpRoute;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * The relay's one address: a WebSocket upgrade becomes a client of the relay, a GET that accepts {@code
 * application/nostr+json} gets the NIP-11 document, any other GET a line for people. Readable from every web origin, as
 * NIP-11 asks: nothing here knows cookies.
 */
@Component(
        name = RelayRoute.PID,
        service = HttpRoute.class,
        immediate = true,
        property = {HttpRoute.LISTENER + "=relay", HttpRoute.PATH + "=/"})
public final class RelayRoute implements HttpRoute {
    static final String PID = "im.parley.relay.socket";

    private static final String DOCUMENT_TYPE = "application/nostr+json";
    private static final String FOR_PEOPLE =
            "This is a Nostr relay, part of a Parley node. Add this address, with ws in place of http, to a Nostr app.\n";

    private final RelayEndpoint relay;

    @Activate
    public RelayRoute(@Reference(policyOption = ReferencePolicyOption.GREEDY) RelayEndpoint relay) {
        this.relay = relay;
    }

    @Override
    public Answer handle(Request request) {
        return switch (request.method()) {
            case "OPTIONS" -> answer(204, Map.of("Allow", "GET, HEAD, OPTIONS"), "");
            case "GET", "HEAD" ->
                acceptsDocument(request.headers().getOrDefault("accept", ""))
                        ? answer(200, Map.of("Content-Type", DOCUMENT_TYPE, "Vary", "Accept"), relay.information())
                        : answer(
                                200, Map.of("Content-Type", "text/plain; charset=utf-8", "Vary", "Accept"), FOR_PEOPLE);
            default -> answer(405, Map.of("Allow", "GET, HEAD, OPTIONS"), "");
        };
    }

    private static Answer answer(int status, Map<String, String> headers, String body) {
        Map<String, String> all = new HashMap<>(headers);
        all.put("Access-Control-Allow-Origin", "*");
        all.put("Access-Control-Allow-Headers", "*");
        all.put("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
        all.put("X-Content-Type-Options", "nosniff");
        return new Answer(status, all, body.getBytes(StandardCharsets.UTF_8));
    }

    /** Whether the media type is named; a wildcard alone is a browser, which wants the line for people. */
    private static boolean acceptsDocument(String accept) {
        int start = 0;
        while (start < accept.length()) {
            int comma = accept.indexOf(',', start);
            int end = comma < 0 ? accept.length() : comma;
            int semicolon = accept.indexOf(';', start);
            int stop = semicolon >= 0 && semicolon < end ? semicolon : end;
            if (accept.substring(start, stop).strip().toLowerCase(Locale.ROOT).equals(DOCUMENT_TYPE)) {
                return true;
            }
            start = end + 1;
        }
        return false;
    }

    @Override
    public WebSocket webSocket(Request request) {
        return new WebSocket() {
            @Override
            public int maxFrameBytes() {
                return relay.maxFrameBytes();
            }

            @Override
            public FrameSink open(Channel toClient) {
                Channel toRelay = relay.accept(new Bridge(toClient), request.remote());
                return new Bridge(toRelay);
            }
        };
    }
}
