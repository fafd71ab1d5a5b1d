package im.parley.http;

import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Something that answers at one exact path of one listener; registered as a service. A path nobody registered answers
 * 404. Thread-safe.
 */
@ConsumerType
public interface HttpRoute {
    /** Service property, String: the listener's name, for example {@code relay}. */
    String LISTENER = "parley.http.listener";
    /** Service property, String: the exact path, for example {@code /}. */
    String PATH = "parley.http.path";

    /** Answers a request that is not a WebSocket upgrade. Must not block for long. */
    Answer handle(Request request);

    /**
     * A WebSocket upgrade was asked for.
     *
     * @return how to accept it, or null if this route is no WebSocket (the client gets 426 or 404)
     */
    default @Nullable WebSocket webSocket(Request request) {
        return null;
    }

    /**
     * @param headers lower-case names; several values are joined by {@code ", "}
     * @param remote the peer's IP address
     */
    record Request(String method, String path, Map<String, String> headers, String remote) {}

    /** @param headers as to be sent; {@code Content-Length} is added */
    record Answer(int status, Map<String, String> headers, byte[] body) {
        public Answer {
            headers = Map.copyOf(headers);
        }

        /**
         * An RFC 9457 problem.
         *
         * @param code stable, lower case, dotted; the member {@code code} of the document
         * @param detail what happened, why and what next, for people
         */
        public static Answer problem(int status, String code, String detail) {
            StringBuilder json = new StringBuilder(128)
                    .append("{\"type\":\"about:blank\",\"status\":")
                    .append(status)
                    .append(",\"code\":");
            quote(json, code);
            quote(json.append(",\"detail\":"), detail);
            return new Answer(
                    status,
                    Map.of(
                            "Content-Type", "application/problem+json",
                            "Cache-Control", "no-store",
                            "X-Content-Type-Options", "nosniff"),
                    json.append('}').toString().getBytes(StandardCharsets.UTF_8));
        }

        private static void quote(StringBuilder json, String text) {
            json.append('"');
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (c == '"' || c == '\\') {
                    json.append('\\').append(c);
                } else if (c < 0x20 || Character.isSurrogate(c)) {
                    json.append("\\u");
                    for (int shift = 12; shift >= 0; shift -= 4) {
                        json.append(Character.forDigit(c >> shift & 15, 16));
                    }
                } else {
                    json.append(c);
                }
            }
            json.append('"');
        }
    }

    /** How one WebSocket is served. */
    interface WebSocket {
        /** Frames above this many bytes close with 1009. */
        int maxFrameBytes();

        /**
         * The socket is open.
         *
         * @param toClient sends to the client
         * @return receives what the client says
         */
        FrameSink open(Channel toClient);
    }
}
