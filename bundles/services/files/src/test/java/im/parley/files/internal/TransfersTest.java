package im.parley.files.internal;

import static im.parley.files.internal.World.ALICE;
import static im.parley.files.internal.World.ONE;
import static im.parley.files.internal.World.SCOPE;
import static im.parley.files.internal.World.TWO;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileJob.State;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.testkit.Await;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TransfersTest {
    private final Path folder;
    private final World world;

    TransfersTest(@TempDir Path folder) throws Exception {
        this.folder = folder;
        world = new World(folder);
    }

    @AfterEach
    void stop() {
        world.files.stop();
    }

    private Path file(String name, byte[] bytes) throws Exception {
        return Files.write(folder.resolve(name), bytes);
    }

    private static byte[] text(int size) {
        byte[] bytes = new byte[size];
        byte[] word = "attack at dawn, ".getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < size; i++) {
            bytes[i] = word[i % word.length];
        }
        return bytes;
    }

    private FileDescription sent(byte[] bytes) throws Exception {
        String id = world.files.put(SCOPE, ALICE, file("sent.txt", bytes), PutOptions.NONE);
        return Objects.requireNonNull(world.until(id, State.DONE).description());
    }

    private static void refused(String code, org.junit.jupiter.api.function.Executable call) {
        assertEquals(code, assertThrows(ProviderException.class, call).code());
    }

    private List<String> staged() throws Exception {
        Path staged = folder.resolve("files").resolve("default");
        try (Stream<Path> all = Files.walk(staged)) {
            return all.filter(Files::isRegularFile)
                    .map(each -> each.getFileName().toString())
                    .toList();
        }
    }

    @Test
    void aFileIsEncryptedUploadedFoundAndTheSameAgain() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.files.addServer(SCOPE, ALICE, TWO);
        for (int size : new int[] {0, 1, 15, 16, 100_000, 1_000_001}) {
            byte[] bytes = text(size);
            FileDescription file = sent(bytes);
            assertEquals(size + 16, file.sizeBytes());
            assertEquals(World.hash(bytes), file.plaintextSha256());
            assertEquals(2, file.urls().size());
            assertEquals("text/plain", file.about().mediaType());
            assertEquals("sent.txt", file.about().name());
            byte[] sealed = world.servers.at(ONE).get(file.sha256());
            assertArrayEquals(sealed, world.servers.at(TWO).get(file.sha256()));
            Cipher jdk = Cipher.getInstance("AES/GCM/NoPadding");
            jdk.init(
                    Cipher.DECRYPT_MODE, new SecretKeySpec(file.key(), "AES"), new GCMParameterSpec(128, file.nonce()));
            assertArrayEquals(bytes, jdk.doFinal(sealed));
            FileDescription read = FileDescription.of(file.content(), file.tags());
            Path target = folder.resolve("got-" + size);
            String id = world.files.get(SCOPE, ALICE, read, target, false);
            FileJob done = world.until(id, State.DONE);
            assertArrayEquals(bytes, Files.readAllBytes(target));
            assertEquals(done.totalBytes(), done.doneBytes());
        }
        Await.until("nothing is staged", () -> staged().isEmpty());
    }

    @Test
    void nothingOfAFileIsKeptInTheClear() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.servers.trouble = (server, verb, bytes) -> {
            throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "Not there.");
        };
        String id = world.files.put(SCOPE, ALICE, file("secret.txt", text(50_000)), PutOptions.NONE);
        Await.until("it waits", () -> world.job(id).nextTryAt() > 0);
        assertEquals(List.of(id + ".put"), staged());
        String sealed = Files.readString(
                folder.resolve("files").resolve("default").resolve(id + ".put"), StandardCharsets.ISO_8859_1);
        assertFalse(sealed.contains("attack at dawn"));
        assertFalse(
                Objects.requireNonNull(world.job(id).description()).toString().contains("decryption"));
    }

    @Test
    void theFirstServerIsEnoughAndTheOthersFollow() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.files.addServer(SCOPE, ALICE, TWO);
        AtomicInteger refusals = new AtomicInteger(1);
        world.servers.trouble = (server, verb, bytes) -> {
            if (server.equals(TWO) && refusals.get() > 0) {
                throw new ProviderException(Kind.UNAVAILABLE, "fileserver.unavailable", "Later.");
            }
        };
        String id = world.files.put(SCOPE, ALICE, file("a.bin", text(5_000)), PutOptions.NONE);
        FileJob available = world.until(id, State.AVAILABLE);
        assertEquals(
                List.of(URI.create(ONE + "/"
                        + Objects.requireNonNull(available.description())
                                .sha256()
                                .hex() + ".bin")),
                Objects.requireNonNull(available.description()).urls());
        Await.until("the other one waits", () -> world.job(id).reason().equals("fileserver.unavailable"));
        assertEquals("waiting", world.job(id).servers().get(1).state());
        refusals.set(0);
        world.files.retry(SCOPE, id);
        FileJob done = world.until(id, State.DONE);
        assertEquals(2, Objects.requireNonNull(done.description()).urls().size());
        Await.until("nothing is staged", () -> staged().isEmpty());
    }

    @Test
    void aServerThatRefusesIsNotAskedAgain() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.files.addServer(SCOPE, ALICE, TWO);
        world.servers.trouble = (server, verb, bytes) -> {
            if (server.equals(ONE)) {
                throw new ProviderException(Kind.AUTHENTICATION, "fileserver.unauthorized", "No.");
            }
        };
        String id = world.files.put(SCOPE, ALICE, file("a.bin", text(5_000)), PutOptions.NONE);
        FileJob done = world.until(id, State.DONE);
        assertEquals("refused", done.servers().get(0).state());
        assertEquals("fileserver.unauthorized", done.servers().get(0).reason());
        world.servers.trouble = (server, verb, bytes) -> {
            throw new ProviderException(Kind.REJECTED, "fileserver.payment", "Pay.");
        };
        String none = world.files.put(SCOPE, ALICE, file("b.bin", text(5_000)), PutOptions.NONE);
        assertEquals("fileserver.payment", world.until(none, State.FAILED).reason());
        Await.until("nothing is staged", () -> staged().isEmpty());
        world.servers.trouble = (server, verb, bytes) -> {};
        world.files.retry(SCOPE, none);
        world.until(none, State.DONE);
    }

    @Test
    void anUploadGoesOnAfterACrashAsWhatItWas() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.servers.trouble = (server, verb, bytes) -> {
            if (bytes > 20_000) {
                throw new ProviderException(Kind.UNAVAILABLE, "fileserver.cut", "Cut.");
            }
        };
        String id = world.files.put(SCOPE, ALICE, file("a.bin", text(50_000)), PutOptions.NONE);
        Await.until("it waits", () -> world.job(id).nextTryAt() > 0);
        FileDescription before = Objects.requireNonNull(world.job(id).description());
        world.servers.trouble = (server, verb, bytes) -> {};
        world.restart();
        FileDescription after =
                Objects.requireNonNull(world.until(id, State.DONE).description());
        assertEquals(before.sha256(), after.sha256());
        assertArrayEquals(before.key(), after.key());
        assertEquals(List.of(ONE), world.files.servers(SCOPE, ALICE));
        assertTrue(world.named.contains(ONE), "the address may be private after a restart, too");
    }

    @Test
    void aStageThatIsLostIsMadeAgainWithAnotherKey() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.servers.trouble = (server, verb, bytes) -> {
            throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "Not there.");
        };
        String id = world.files.put(SCOPE, ALICE, file("a.bin", text(50_000)), PutOptions.NONE);
        Await.until("it waits", () -> world.job(id).nextTryAt() > 0);
        FileDescription before = Objects.requireNonNull(world.job(id).description());
        Files.delete(folder.resolve("files").resolve("default").resolve(id + ".put"));
        world.servers.trouble = (server, verb, bytes) -> {};
        world.files.retry(SCOPE, id);
        FileDescription after =
                Objects.requireNonNull(world.until(id, State.DONE).description());
        assertFalse(Arrays.equals(before.key(), after.key()), "a key and nonce encrypt once");
        assertNotEquals(before.sha256(), after.sha256());
    }

    @Test
    void aDownloadGoesOnAfterACrash() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(90_000));
        world.servers.trouble = (server, verb, bytes) -> {
            if (bytes >= 40_000) {
                throw new ProviderException(Kind.UNAVAILABLE, "fileserver.cut", "Cut.");
            }
        };
        Path target = folder.resolve("target");
        String id = world.files.get(SCOPE, ALICE, file, target, false);
        Await.until("it waits", () -> world.job(id).nextTryAt() > 0);
        assertFalse(Files.exists(target));
        long there = Files.size(folder.resolve("files").resolve("default").resolve(id + ".get"));
        assertEquals(41_000, there);
        long[] least = {Long.MAX_VALUE};
        world.servers.trouble = (server, verb, bytes) -> {
            if (bytes > 0) {
                least[0] = Math.min(least[0], bytes);
            }
        };
        world.restart();
        world.until(id, State.DONE);
        assertEquals(41_000, least[0], "what was there did not come again");
        assertArrayEquals(text(90_000), Files.readAllBytes(target));
    }

    @Test
    void BL_15_wrongBytesAreNeverSeen() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(30_000));
        byte[] right = Objects.requireNonNull(world.servers.at(ONE).get(file.sha256()));
        byte[] wrong = right.clone();
        wrong[7_000] ^= 1;
        world.servers.at(ONE).put(file.sha256(), wrong);
        Path target = folder.resolve("target");
        String id = world.files.get(SCOPE, ALICE, file, target, false);
        assertEquals("blob.hash-mismatch", world.until(id, State.FAILED).reason());
        assertFalse(Files.exists(target));
        Await.until("nothing is staged", () -> staged().isEmpty());
        // Another server has it right.
        world.servers.at(TWO).put(file.sha256(), right);
        FileDescription both = file.at(List.of(
                URI.create(ONE + "/" + file.sha256().hex()),
                URI.create(TWO + "/" + file.sha256().hex())));
        world.until(world.files.get(SCOPE, ALICE, both, target, false), State.DONE);
        assertArrayEquals(text(30_000), Files.readAllBytes(target));
    }

    @Test
    void BL_15_theRightEndOnAWrongBeginningIsTriedFromTheStart() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(30_000));
        byte[] right = Objects.requireNonNull(world.servers.at(ONE).get(file.sha256()));
        byte[] wrong = right.clone();
        wrong[100] ^= 1;
        world.servers.at(ONE).put(file.sha256(), wrong);
        world.servers.at(TWO).put(file.sha256(), right);
        world.servers.trouble = (server, verb, bytes) -> {
            if (server.equals(ONE) && bytes > 10_000) {
                throw new ProviderException(Kind.UNAVAILABLE, "fileserver.cut", "Cut.");
            }
        };
        FileDescription both = file.at(List.of(ONE, TWO));
        Path target = folder.resolve("target");
        world.until(world.files.get(SCOPE, ALICE, both, target, false), State.DONE);
        assertArrayEquals(text(30_000), Files.readAllBytes(target));
        assertTrue(world.servers.asked.contains("download " + ONE + " signed"));
        assertTrue(world.servers.asked.contains("download " + TWO), "a stranger's server does not learn who asks");
    }

    @Test
    void aFileThatDoesNotOpenIsNotShown() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(30_000));
        byte[] key = file.key();
        key[0] ^= 1;
        FileDescription other = new FileDescription(
                file.urls(), file.sha256(), file.plaintextSha256(), file.sizeBytes(), key, file.nonce(), file.about());
        Path target = folder.resolve("target");
        assertEquals(
                "file.bad-tag",
                world.until(world.files.get(SCOPE, ALICE, other, target, false), State.FAILED)
                        .reason());
        FileDescription lying = new FileDescription(
                file.urls(),
                file.sha256(),
                World.hash(new byte[1]),
                file.sizeBytes(),
                file.key(),
                file.nonce(),
                file.about());
        assertEquals(
                "file.wrong-plaintext",
                world.until(world.files.get(SCOPE, ALICE, lying, target, false), State.FAILED)
                        .reason());
        try (Stream<Path> all = Files.list(folder)) {
            assertTrue(all.noneMatch(each -> each.getFileName().toString().contains("target")));
        }
        Await.until("nothing is staged", () -> staged().isEmpty());
    }

    @Test
    void aFileOfUnknownSizeIsRead() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(30_000));
        FileDescription unknown = new FileDescription(
                file.urls(), file.sha256(), null, -1, file.key(), file.nonce(), FileDescription.About.NOTHING);
        Path target = folder.resolve("target");
        world.until(world.files.get(SCOPE, ALICE, unknown, target, false), State.DONE);
        assertArrayEquals(text(30_000), Files.readAllBytes(target));
        refused("file.exists", () -> world.files.get(SCOPE, ALICE, unknown, target, false));
        world.until(world.files.get(SCOPE, ALICE, unknown, target, true), State.DONE);
    }

    @Test
    void aTransferIsCancelled() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        world.servers.trouble = (server, verb, bytes) -> {
            throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "Not there.");
        };
        String id = world.files.put(SCOPE, ALICE, file("a.bin", text(50_000)), PutOptions.NONE);
        Await.until("it waits", () -> world.job(id).nextTryAt() > 0);
        world.files.cancel(SCOPE, id);
        world.files.cancel(SCOPE, id);
        assertEquals(State.CANCELLED, world.job(id).state());
        Await.until("nothing is staged", () -> staged().isEmpty());
        world.restart();
        assertEquals(State.CANCELLED, world.job(id).state());
        refused("files.job-unknown", () -> world.files.cancel(SCOPE, "99"));
        refused("files.job-unknown", () -> world.files.retry(SCOPE, "x"));
    }

    @Test
    void deletionsAreSaidServerByServer() throws Exception {
        world.files.addServer(SCOPE, ALICE, ONE);
        FileDescription file = sent(text(10));
        world.files.addServer(SCOPE, ALICE, TWO);
        world.servers.trouble = (server, verb, bytes) -> {};
        URI third = URI.create("http://three.test/" + file.sha256().hex());
        world.servers.trouble = (server, verb, bytes) -> {
            if (server.getHost().equals("three.test")) {
                throw new ProviderException(Kind.REJECTED, "fileserver.forbidden", "No.");
            }
        };
        List<URI> urls = Stream.concat(file.urls().stream(), Stream.of(third)).toList();
        assertEquals(
                List.of(
                        new FileTransfers.Deletion(ONE, "deleted"),
                        new FileTransfers.Deletion(URI.create("http://three.test"), "fileserver.forbidden"),
                        new FileTransfers.Deletion(TWO, "absent")),
                world.files.delete(SCOPE, ALICE, file.at(urls)));
    }

    @Test
    void serversAreListedInOrderAndTold() throws Exception {
        List<List<URI>> told = new CopyOnWriteArrayList<>();
        AutoCloseable listening = world.files.listen(new FileTransfers.Listener() {
            @Override
            public void serversChanged(
                    im.parley.api.lifecycle.Scope scope, im.parley.api.event.PublicKey account, List<URI> servers) {
                told.add(servers);
            }
        });
        refused("files.no-server", () -> world.files.put(SCOPE, ALICE, file("a", new byte[1]), PutOptions.NONE));
        assertEquals(List.of(TWO), world.files.addServer(SCOPE, ALICE, URI.create("HTTP://Two.test/")));
        assertEquals(List.of(TWO, ONE), world.files.addServer(SCOPE, ALICE, ONE));
        assertEquals(List.of(TWO, ONE), world.files.addServer(SCOPE, ALICE, TWO));
        assertEquals(java.util.Set.of(ONE, TWO), world.named);
        assertTrue(world.files.probe(SCOPE, ALICE, TWO).takesCiphertext());
        assertEquals(List.of(ONE), world.files.removeServer(SCOPE, ALICE, TWO));
        assertEquals(java.util.Set.of(ONE), world.named);
        refused("files.server-unknown", () -> world.files.removeServer(SCOPE, ALICE, TWO));
        refused("files.server-unknown", () -> world.files.probe(SCOPE, ALICE, TWO));
        for (String bad : List.of("ftp://a.test", "http://a.test/x", "http://u@a.test", "http://a.test?q", "a.test")) {
            refused("fileserver.bad-url", () -> world.files.addServer(SCOPE, ALICE, URI.create(bad)));
        }
        listening.close();
        assertEquals(List.of(List.of(TWO), List.of(TWO, ONE), List.of(TWO, ONE), List.of(ONE)), told);
        refused("file.absent", () -> world.files.put(SCOPE, ALICE, folder.resolve("none"), PutOptions.NONE));
    }

    @Test
    void descriptionsOfOthersAreRead() throws Exception {
        String hash = "ab".repeat(32);
        FileDescription file = FileDescription.of(
                "https://a.example/" + hash,
                List.of(
                        List.of("encryption-algorithm", "aes-gcm"),
                        List.of("decryption-key", java.util.Base64.getEncoder().encodeToString(new byte[32])),
                        List.of("decryption-nonce", "00".repeat(16)),
                        List.of("x", hash),
                        List.of("dim", "10x20"),
                        List.of("fallback", "javascript:alert(1)"),
                        List.of("fallback", "https://b.example/" + hash)));
        assertEquals(2, file.urls().size());
        assertEquals(16, file.nonce().length);
        assertEquals(10, file.about().width());
        refused("file.unknown-cipher", () -> FileDescription.of("https://a.example/", List.of()));
        for (Map.Entry<String, String> bad : Map.of(
                        "x", "zz", "decryption-key", "00", "decryption-nonce", "!!", "decryption-key ", "")
                .entrySet()) {
            List<List<String>> tags = file.tags().stream()
                    .map(tag -> tag.get(0).equals(bad.getKey().strip()) ? List.of(tag.get(0), bad.getValue()) : tag)
                    .toList();
            refused("file.bad-description", () -> FileDescription.of(file.content(), tags));
        }
    }
}
