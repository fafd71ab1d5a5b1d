package im.parley.control;

import im.parley.api.blobs.FileServer;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Scope;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** One transfer that is always half done, at one server. */
final class FakeFiles implements FileTransfers {
    private static final URI SERVER = URI.create("https://files.example");
    private static final FileDescription FILE = new FileDescription(
            List.of(SERVER.resolve("/" + "ab".repeat(32)), URI.create("https://other.example/" + "ab".repeat(32))),
            Sha256.ofHex("ab".repeat(32)),
            null,
            100,
            new byte[32],
            new byte[12],
            FileDescription.About.NOTHING);

    @Override
    public List<URI> servers(Scope scope, PublicKey account) {
        return List.of(SERVER);
    }

    @Override
    public List<URI> addServer(Scope scope, PublicKey account, URI server) {
        return List.of(SERVER);
    }

    @Override
    public List<URI> removeServer(Scope scope, PublicKey account, URI server) {
        return List.of();
    }

    @Override
    public FileServer.Probe probe(Scope scope, PublicKey account, URI server) {
        return new FileServer.Probe(true, "", 5, true);
    }

    @Override
    public String put(Scope scope, PublicKey account, Path source, PutOptions options) {
        return "1";
    }

    @Override
    public String get(Scope scope, PublicKey account, FileDescription file, Path target, boolean replace) {
        return "1";
    }

    @Override
    public Optional<FileJob> job(Scope scope, String id) {
        return id.equals("1") ? Optional.of(jobs(scope, 1).get(0)) : Optional.empty();
    }

    @Override
    public List<FileJob> jobs(Scope scope, int limit) {
        return List.of(new FileJob(
                "1",
                FileJob.Kind.PUT,
                PublicKey.ofHex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
                FileJob.State.AVAILABLE,
                Path.of("/f"),
                50,
                100,
                10,
                5,
                "fileserver.busy",
                1,
                List.of(new FileJob.At(SERVER, "stored", "")),
                List.of("media.too-large"),
                FILE,
                1));
    }

    @Override
    public void cancel(Scope scope, String id) {}

    @Override
    public void retry(Scope scope, String id) {}

    @Override
    public List<Deletion> delete(Scope scope, PublicKey account, FileDescription file) {
        return file.urls().stream()
                .map(url -> new Deletion(url.resolve("/"), "deleted"))
                .toList();
    }

    @Override
    public AutoCloseable listen(Listener listener) {
        return () -> {};
    }
}
