package im.parley.itests.process;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The control surface without a command line in between, for tests that send much. One call at a time. */
final class ControlSocket implements AutoCloseable {
    private final SocketChannel channel;
    private final BufferedReader in;
    private long nextId;

    private ControlSocket(SocketChannel channel) {
        this.channel = channel;
        this.in = new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
    }

    static ControlSocket open(DistributionNode node) throws IOException {
        JsonNode card = Peers.JSON.readTree(node.data().resolve("node.json").toFile());
        return open(Path.of(card.path("socket").asText()));
    }

    static ControlSocket open(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        return new ControlSocket(channel);
    }

    /** The result; an error of the node is an {@link IOException} that quotes it. */
    JsonNode call(String method, ObjectNode params) throws IOException {
        ObjectNode request = Peers.JSON.createObjectNode();
        request.put("jsonrpc", "2.0").put("id", ++nextId).put("method", method).set("params", params);
        ByteBuffer line =
                ByteBuffer.wrap((Peers.JSON.writeValueAsString(request) + "\n").getBytes(StandardCharsets.UTF_8));
        while (line.hasRemaining()) {
            channel.write(line);
        }
        while (true) {
            String answer = in.readLine();
            if (answer == null) {
                throw new IOException("the node is gone");
            }
            JsonNode json = Peers.JSON.readTree(answer);
            if (json.path("id").asLong(-1) != nextId) {
                continue;
            }
            if (json.has("error")) {
                throw new IOException(json.get("error").toString());
            }
            return json.get("result");
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
