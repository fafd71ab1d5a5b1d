package im.parley.fileserver.blossom;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.blobs.FileServer;
import im.parley.api.blobs.FileServer.Access;
import im.parley.api.blobs.FileServer.Content;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The same over TLS, on sockets of the egress. */
@Timeout(60)
class TlsTest {
    private static final char[] PASSWORD = "changeit".toCharArray();
    private static final byte[] BYTES = new byte[3_000_000];
    private static final Sha256 HASH = Sha256.ofHex(StubServer.hash(BYTES));

    private final FakeContext context = new FakeContext();

    private static KeyStore certificate(Path file) throws Exception {
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "server",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "san=dns:localhost",
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        new String(PASSWORD),
                        "-keystore",
                        file.toString())
                .inheritIO()
                .start();
        assertTrue(keytool.waitFor(30, TimeUnit.SECONDS));
        return KeyStore.getInstance(file.toFile(), PASSWORD);
    }

    private static StubServer server(KeyStore store) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, PASSWORD);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(keys.getKeyManagers(), null, null);
        return new StubServer(tls.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress()));
    }

    private BlossomFileServer client(Tls tls) {
        return new BlossomFileServer(context, new BlossomProvider.Settings(1 << 20, Duration.ofSeconds(10)), tls);
    }

    private static FileServer.Source source() {
        return new FileServer.Source() {
            private int at;

            @Override
            public void seek(long offset) {
                at = (int) offset;
            }

            @Override
            public int read(byte[] buffer, int from, int length) {
                int n = Math.min(length, BYTES.length - at);
                System.arraycopy(BYTES, at, buffer, from, n);
                at += n;
                return n;
            }

            @Override
            public void progress(long sentBytes) {}
        };
    }

    @Test
    void certificatesAndNamesAreChecked(@TempDir Path folder) throws Exception {
        KeyStore store = certificate(folder.resolve("good.p12"));
        try (StubServer stub = server(store);
                BlossomFileServer trusting = client(Tls.trusting(store, context.random()));
                BlossomFileServer strict = client(Tls.systemTrust(context.random()))) {
            stub.pieces = true;
            context.named.add(stub.port());
            Access access = new Access(Scope.DEFAULT, URI.create("https://localhost:" + stub.port()), context);
            trusting.upload(access, new Content(HASH, BYTES.length, "application/octet-stream", source()));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            trusting.download(access, HASH, 0, BYTES.length, out::write);
            assertArrayEquals(BYTES, out.toByteArray());
            assertEquals(
                    "fileserver.tls",
                    assertThrows(ProviderException.class, () -> strict.stat(access, HASH))
                            .code());
            Access otherName = new Access(Scope.DEFAULT, URI.create("https://127.0.0.1:" + stub.port()), context);
            assertEquals(
                    "fileserver.tls",
                    assertThrows(ProviderException.class, () -> trusting.stat(otherName, HASH))
                            .code());
            stub.trick = (request, answer) -> {
                StubServer.head(
                        answer,
                        302,
                        "Location: http://localhost:" + stub.port() + "/" + HASH.hex(),
                        "Content-Length: 0");
                return true;
            };
            assertEquals(
                    "fileserver.redirect",
                    assertThrows(
                                    ProviderException.class,
                                    () -> trusting.download(access, HASH, 0, BYTES.length, out::write))
                            .code());
        }
    }
}
