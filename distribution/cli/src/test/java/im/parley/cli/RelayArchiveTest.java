package im.parley.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RelayArchiveTest {
    private static final String ONE_PAGE =
            "\"result\":{\"events\":\"{\\\"a\\\":1}\\n{\\\"b\\\":2}\",\"next\":2,\"last\":true}";

    @TempDir
    Path dir;

    private Path data = Path.of("");
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeEach
    void makeData() throws IOException {
        data = Files.createDirectory(dir.resolve("d"));
    }

    private int run(byte[] input, String... arguments) {
        out.reset();
        err.reset();
        String[] all = Stream.concat(Stream.of(arguments), Stream.of("--data", data.toString()))
                .toArray(String[]::new);
        return Main.run(
                new Invocation(
                        new ByteArrayInputStream(input),
                        new PrintStream(out, true, UTF_8),
                        new PrintStream(err, true, UTF_8)),
                all);
    }

    private int run(String... arguments) {
        return run(new byte[0], arguments);
    }

    /** Of each call. */
    private static final int GONE = 1;

    private static String report(int stored, int known, String refused) {
        return "\"result\":{\"stored\":" + stored + ",\"known\":" + known + ",\"gone\":" + GONE + ",\"refused\":["
                + refused + "]}";
    }

    private static String events(String request) throws IOException {
        return Json.text(Json.member(Json.object(request.getBytes(UTF_8)), "params"), "events");
    }

    @Test
    void exportsToANewFileOfTheOwnerAlone() throws Exception {
        Path file = dir.resolve("out.jsonl");
        try (FakeNode node = new FakeNode(data)) {
            node.on("relay.export", ONE_PAGE);
            assertEquals(Exit.OK, run("relay", "export", file.toString()));
            assertEquals("{\"a\":1}\n{\"b\":2}\n", Files.readString(file));
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertEquals("2 events written to " + file + ", 16 bytes.\n", out.toString(UTF_8));

            assertEquals(Exit.REFUSED, run("relay", "export", file.toString()));
            assertTrue(err.toString(UTF_8).contains("Code: file.exists"), err.toString(UTF_8));
            assertEquals(Exit.OK, run("relay", "export", file.toString(), "--force", "--json"));
            assertEquals(2L, Json.object(out.toByteArray()).get("events"));
        }
        try (Stream<Path> left = Files.list(dir)) {
            assertEquals(2, left.count(), "no part is left over");
        }
    }

    @Test
    void exportsToStandardOutputAndNothingElseGoesThere() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("relay.export", ONE_PAGE);
            assertEquals(Exit.OK, run("relay", "export", "-"));
            assertEquals("{\"a\":1}\n{\"b\":2}\n", out.toString(UTF_8));
            assertEquals("2 events written.\n", err.toString(UTF_8));
        }
    }

    @Test
    void anExportThatNobodyReadsEnds() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("relay.export", ONE_PAGE.replace("true", "false"));
            OutputStream full = new OutputStream() {
                @Override
                public void write(int b) throws IOException {
                    throw new IOException("No space left on device");
                }
            };
            Invocation invocation = new Invocation(
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(full, true, UTF_8),
                    new PrintStream(err, true, UTF_8));
            assertEquals(Exit.UNAVAILABLE, Main.run(invocation, "relay", "export", "-", "--data", data.toString()));
        }
    }

    @Test
    void aFailedExportLeavesNoFile() throws Exception {
        Path file = dir.resolve("out.jsonl");
        try (FakeNode node = new FakeNode(data)) {
            node.refuses("relay.export", "slot.empty", "unavailable");
            assertEquals(Exit.UNAVAILABLE, run("relay", "export", file.toString()));
            assertEquals(
                    Exit.REFUSED, run("relay", "export", dir.resolve("no/such").toString()));
            assertTrue(err.toString(UTF_8).contains("Code: file.not-written"), err.toString(UTF_8));
        }
        assertFalse(Files.exists(file));
    }

    @Test
    void importsInBatchesAndSaysWhichLinesWereRefused() throws Exception {
        StringBuilder file = new StringBuilder("\n{\"a\":1}\r\n  \n");
        for (int i = 0; i < 250; i++) {
            file.append("{\"n\":").append(i).append("}\n");
        }
        file.append("{\"last\":true}");
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "relay.import",
                    report(5, 3, "{\"line\":0,\"code\":\"invalid.sig\",\"reason\":\"invalid: sig the signature\"}"));
            assertEquals(Exit.REFUSED, run(file.toString().getBytes(UTF_8), "relay", "import", "-"));
            assertEquals(2, node.heard.size());
            assertEquals(200, events(node.heard.get(0)).lines().count());
            assertEquals(52, events(node.heard.get(1)).lines().count());
        }
        assertEquals(
                "10 events stored, 6 known before, 2 refused.\n"
                        + "  2 stay gone: deleted by the author, or the time is over\n"
                        + "  2 x invalid.sig\n"
                        + "  line 2: invalid: sig the signature\n"
                        + "  line 203: invalid: sig the signature\n",
                out.toString(UTF_8));
    }

    @Test
    void largeLinesTravelAloneAndTooLargeOnesNotAtAll() throws Exception {
        String large = "{\"a\":\"" + "\\\"".repeat(199_000 / 2) + "\"}";
        String tooLarge = "{\"a\":\"" + "x".repeat(400_001) + "\"}";
        String binary = "{\"a\":\"\u0001\"}";
        String input = String.join("\n", large, large, large, tooLarge, binary, "{}");
        try (FakeNode node = new FakeNode(data)) {
            node.on("relay.import", report(1, 0, ""));
            assertEquals(Exit.REFUSED, run(input.getBytes(UTF_8), "relay", "import", "-", "--json"));
            for (String request : node.heard) {
                assertTrue(request.length() < 1024 * 1024, "the node takes it");
            }
            List<String> sent = node.heard.stream()
                    .flatMap(request -> {
                        try {
                            return events(request).lines();
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    })
                    .toList();
            assertEquals(List.of(large, large, large, "{}"), sent);
        }
        Map<String, Object> byCode = Json.member(Json.object(out.toByteArray()), "byCode");
        assertEquals(Map.of("invalid.too-big", 1L, "invalid.json", 1L), byCode);
    }

    @Test
    void importsWhatIsPacked() throws Exception {
        Path file = dir.resolve("in.jsonl.gz");
        try (OutputStream packed = new GZIPOutputStream(Files.newOutputStream(file))) {
            packed.write("{\"a\":1}\n".getBytes(UTF_8));
        }
        try (FakeNode node = new FakeNode(data)) {
            node.on("relay.import", report(1, 0, ""));
            assertEquals(Exit.OK, run("relay", "import", file.toString()));
            assertEquals("{\"a\":1}\n", events(node.heard.get(0)));
        }
        assertEquals(
                "1 event stored, 0 known before, 0 refused.\n"
                        + "  1 stays gone: deleted by the author, or the time is over\n",
                out.toString(UTF_8));
    }

    @Test
    void aFileThatIsNotThereIsSaidSo() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            assertEquals(
                    Exit.REFUSED, run("relay", "import", dir.resolve("nothing").toString()));
            assertTrue(err.toString(UTF_8).contains("Code: file.not-read"), err.toString(UTF_8));
            assertEquals(List.of(), node.heard);
        }
    }
}
