package im.parley.cli;

import im.parley.launcher.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** Answers on a control socket what it was told to, and remembers what it was asked. */
final class FakeNode implements AutoCloseable {
    /** Requests as they came, one line each. */
    final List<String> heard = new CopyOnWriteArrayList<>();

    private final Map<String, String> answers = new ConcurrentHashMap<>();
    private final ServerSocketChannel server;
    private final Thread thread;

    FakeNode(Path data) throws IOException {
        Path socket = data.resolve("s");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Map<String, Object> card = new LinkedHashMap<>();
        card.put("socket", socket.toString());
        card.put("pid", ProcessHandle.current().pid());
        card.put("version", "1");
        Files.write(data.resolve("node.json"), Json.pretty(card));
        thread = new Thread(this::serve, "fake-node");
        thread.start();
    }

    /** Members to answer a method with: {@code "result":…} or {@code "error":…}; empty ends the connection. */
    FakeNode on(String method, String members) {
        answers.put(method, members);
        return this;
    }

    FakeNode refuses(String method, String code, String kind) {
        return on(
                method,
                "\"error\":{\"code\":-32000,\"message\":\"m\",\"data\":{\"code\":\"" + code + "\",\"kind\":\"" + kind
                        + "\",\"what\":\"It did not happen.\",\"why\":\"Because.\",\"next\":\"Do this.\"}}");
    }

    /** Hangs up with an error before anything is asked. */
    FakeNode refusesEverybody(String code) {
        refuses("", code, "authentication");
        return this;
    }

    private void serve() {
        while (server.isOpen()) {
            try {
                SocketChannel channel = server.accept();
                Thread talker = new Thread(() -> talk(channel), "fake-node-talker");
                talker.setDaemon(true);
                talker.start();
            } catch (ClosedChannelException closed) {
                return;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void talk(SocketChannel accepted) {
        try (SocketChannel channel = accepted) {
            answer(channel);
        } catch (IOException clientWentAway) {
            heard.add("the client went away");
        }
    }

    private void answer(SocketChannel channel) throws IOException {
        String refusal = answers.get("");
        if (refusal != null) {
            channel.write(ByteBuffer.wrap(
                    ("{\"jsonrpc\":\"2.0\",\"id\":null," + refusal + "}\n").getBytes(StandardCharsets.UTF_8)));
            return;
        }
        BufferedReader lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            heard.add(line);
            Map<String, Object> request = Json.object(line.getBytes(StandardCharsets.UTF_8));
            String members = answers.getOrDefault(Json.text(request, "method"), "");
            if (members.isEmpty()) {
                return;
            }
            for (String answer : members.split("\n", -1)) {
                channel.write(ByteBuffer.wrap(("{\"jsonrpc\":\"2.0\","
                                + (answer.startsWith("\"method\"") ? "" : "\"id\":" + Json.number(request, "id") + ",")
                                + answer + "}\n")
                        .getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    @Override
    public void close() throws IOException, InterruptedException {
        server.close();
        thread.join();
    }
}
