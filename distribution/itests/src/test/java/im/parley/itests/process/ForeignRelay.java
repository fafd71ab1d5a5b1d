package im.parley.itests.process;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A relay we did not write, in a process of its own on a free port; what it took survives its death. */
final class ForeignRelay implements AutoCloseable {
    private final Peers peers;
    private final Path folder;
    private final int port;
    private @Nullable Process process;

    private ForeignRelay(Peers peers, Path folder, int port) {
        this.peers = peers;
        this.folder = folder;
        this.port = port;
    }

    /** Not started yet. Without a database for this machine the calling test is skipped, or fails in CI. */
    static ForeignRelay create(Peers peers) throws IOException {
        if (!peers.has("@libsql")) {
            Peers.skip("libsql has no build for this machine, so nothing is tested through a relay we did not write");
        }
        Path folder = Files.createTempDirectory(Path.of(System.getProperty("java.io.tmpdir")), "p-foreign");
        return new ForeignRelay(peers, folder, DistributionNode.freePorts());
    }

    URI url() {
        return URI.create("ws://127.0.0.1:" + port);
    }

    /** Returns when it listens. */
    void start() throws IOException {
        process = peers.start(
                "relay.mjs", "serve", Peers.arguments().put("port", port).put("file", file()));
    }

    /** Ends the process as a power button would end it. */
    void kill() throws InterruptedException {
        Process running = process;
        process = null;
        if (running != null) {
            running.destroyForcibly().waitFor();
        }
    }

    /** How many events of that kind are in its database. */
    long kept(int kind) throws IOException, InterruptedException {
        JsonNode kinds = peers.run("relay.mjs", "kinds", Peers.arguments().put("file", file()));
        return kinds.path(Integer.toString(kind)).asLong();
    }

    private String file() {
        return folder.resolve("events.sqlite").toString();
    }

    @Override
    public void close() throws IOException, InterruptedException {
        kill();
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }
}
