package im.parley.vault.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.HotSpotDiagnosticMXBean;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.Vault;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class LocalVaultTest {
    // A guess must cost something in production; here it must not.
    private static final KdfCost CHEAP = new KdfCost(64, 1, 1);
    private static final String INSTANCE = "im.parley.identity.local~main";

    @TempDir
    Path root = Path.of("unset");

    private Path data = Path.of("unset");
    private Path state = Path.of("unset");
    private final SettableClock clock = SettableClock.atSecond(1_800_000_000);
    private final SecureRandom random = Seeds.secureRandom("vault");

    @BeforeEach
    void directories() {
        data = root.resolve("data");
        state = root.resolve("state");
    }

    private LocalVault open() {
        return open(CHEAP, Map.of());
    }

    private LocalVault open(KdfCost cost, Map<String, String> env) {
        return new LocalVault(clock, random, data, state, env::get, cost);
    }

    private static char[] chars(String text) {
        return text.toCharArray();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static ProviderException fails(String code, Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        return e;
    }

    private List<Path> files(Path dir) throws IOException {
        try (Stream<Path> all = Files.walk(dir)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        }
    }

    // ---- Secrets

    @Test
    void keepsNodeSecretsOverRestarts() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        secrets.write("db", bytes("first"), null);
        secrets.write("db", bytes("second"), null);
        secrets.write("empty", new byte[0], null);
        Secrets again = open().secretsFor(INSTANCE);
        assertEquals(Set.of("db", "empty"), new HashSet<>(again.names()));
        assertArrayEquals(bytes("second"), again.read("db"));
        assertArrayEquals(new byte[0], again.read("empty"));
        assertFalse(again.locked("db"));
        again.delete("db");
        again.delete("db");
        fails("secret.missing", () -> open().secretsFor(INSTANCE).read("db"));
    }

    @Test
    void aSecretIsOverwrittenBeforeItsFileGoesEvenIfACrashCameBetween() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        secrets.write("db", bytes("value"), null);
        Path file = files(data.resolve("vault/secrets")).get(0);
        Path link = Files.createLink(root.resolve("the same blocks"), file);
        int size = (int) Files.size(file);
        secrets.delete("db");
        assertArrayEquals(new byte[size], Files.readAllBytes(link));
        assertEquals(List.of(), files(data.resolve("vault/secrets")));

        secrets.write("db", bytes("value"), null);
        // As a crash leaves it that came when the file had its other name.
        Files.move(file, file.resolveSibling(file.getFileName() + ".gone"));
        assertEquals(List.of(), open().secretsFor(INSTANCE).names());
        open().secretsFor(INSTANCE).delete("db");
        assertEquals(List.of(), files(data.resolve("vault/secrets")));
    }

    @Test
    void aStrayFileWhereSecretsWouldBeDoesNotKeepAVaultFromBeingMade() throws Exception {
        Path secrets = root.resolve("data/vault/secrets/x");
        Files.createDirectories(secrets);
        Files.writeString(secrets.resolve(".DS_Store"), "left by a file manager");
        assertEquals(List.of(), open().secretsFor(INSTANCE).names());
    }

    @Test
    void aStrayFileBesideTheSecretsIsNoSecret() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        secrets.write("db", bytes("first"), null);
        for (Path file : files(root)) {
            Files.writeString(file.resolveSibling(".DS_Store"), "left by a file manager");
        }
        assertEquals(List.of("db"), open().secretsFor(INSTANCE).names());
    }

    @Test
    void instancesSeeOnlyTheirOwn() throws Exception {
        LocalVault vault = open();
        vault.secretsFor("a").write("name", bytes("of a"), null);
        vault.secretsFor("b").write("name", bytes("of b"), null);
        assertArrayEquals(bytes("of a"), vault.secretsFor("a").read("name"));
        assertEquals(List.of(), vault.secretsFor("c").names());
    }

    @Test
    void boundsNamesAndValues() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        for (String name : List.of("", "A", "a/b", "..é", "a b", "x".repeat(129))) {
            fails("secret.bad-name", () -> secrets.write(name, new byte[1], null));
        }
        secrets.write("..", new byte[Secrets.MAX_BYTES], chars("p"));
        secrets.write("x".repeat(128), new byte[Secrets.MAX_BYTES], null);
        fails("secret.too-large", () -> secrets.write("x", new byte[Secrets.MAX_BYTES + 1], null));
        secrets.unlock("..", chars("p"));
        assertEquals(Secrets.MAX_BYTES, secrets.read("..").length);
    }

    @Test
    void filesAreForTheOwnerOnlyAndTellNoNames() throws Exception {
        LocalVault vault = open();
        vault.secretsFor(INSTANCE).write("canary-name", bytes("canary-value"), null);
        vault.secretsFor(INSTANCE).write("canary-user", bytes("canary-value"), chars("canary-pass"));
        for (Path dir :
                List.of(data.resolve("vault"), state, state.resolve("devices"), data.resolve("vault/secrets"))) {
            assertEquals(
                    "rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(dir)), dir.toString());
        }
        List<Path> all = files(root);
        assertEquals(5, all.size(), all.toString());
        for (Path file : all) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            String content = Files.readString(file, StandardCharsets.ISO_8859_1) + file;
            for (String canary : List.of("canary-name", "canary-value", "canary-user", "canary-pass", INSTANCE)) {
                assertFalse(content.contains(canary), canary + " in " + file);
            }
        }
    }

    @Test
    void userSecretsNeedTheirPassphraseUntilTheNextLock() throws Exception {
        LocalVault vault = open();
        Secrets secrets = vault.secretsFor(INSTANCE);
        char[] passphrase = chars("correct horse 🐎");
        secrets.write("key", bytes("nsec"), passphrase);
        assertTrue(secrets.locked("key"));
        assertEquals(
                Kind.AUTHENTICATION,
                fails("vault.locked", () -> secrets.read("key")).kind());
        fails("vault.wrong-passphrase", () -> secrets.unlock("key", chars("correct horse")));
        fails("vault.bad-passphrase", () -> secrets.unlock("key", chars("\uD83D")));
        assertTrue(secrets.locked("key"));
        secrets.unlock("key", passphrase);
        assertFalse(secrets.locked("key"));
        assertArrayEquals(bytes("nsec"), secrets.read("key"));
        assertEquals("correct horse 🐎", new String(passphrase), "the caller's array is the caller's");

        vault.setPin(null, chars("1234"));
        vault.lock();
        assertTrue(secrets.locked("key"));
        assertEquals(List.of("key"), secrets.names());
        fails("vault.locked", () -> secrets.read("key"));
        fails("vault.locked", () -> secrets.unlock("key", passphrase));
        vault.unlock(chars("1234"));
        fails("vault.locked", () -> secrets.read("key"));
        secrets.unlock("key", passphrase);
        assertArrayEquals(bytes("nsec"), secrets.read("key"));

        secrets.write("key", bytes("new"), chars("other"));
        fails("vault.locked", () -> secrets.read("key"));
        assertTrue(open().secretsFor(INSTANCE).locked("key"));
    }

    @Test
    void everyFlippedByteIsNoticed() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        for (boolean user : List.of(false, true)) {
            secrets.write("key", bytes("value"), user ? chars("pass") : null);
            Path file = files(data.resolve("vault/secrets")).get(0);
            byte[] good = Files.readAllBytes(file);
            for (int i = 0; i < good.length; i++) {
                byte[] bad = good.clone();
                bad[i] ^= 1;
                Files.write(file, bad);
                assertEquals(
                        Kind.CORRUPT,
                        fails(
                                        "vault.tampered",
                                        () -> open().secretsFor(INSTANCE).read("key"))
                                .kind());
            }
            for (int length = 0; length < good.length; length++) {
                Files.write(file, Arrays.copyOf(good, length));
                fails("vault.tampered", () -> secrets.read("key"));
            }
            Files.write(file, good);
        }
    }

    @Test
    void swappedFilesAreNoticed() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        Secrets other = open().secretsFor("other");
        secrets.write("a", bytes("1"), null);
        secrets.write("b", bytes("2"), null);
        other.write("a", bytes("3"), null);
        List<Path> all = files(data.resolve("vault/secrets"));
        assertEquals(3, all.size());
        byte[] first = Files.readAllBytes(all.get(0));
        for (int i = 0; i < 3; i++) {
            Files.write(all.get(i), i < 2 ? Files.readAllBytes(all.get(i + 1)) : first);
        }
        fails("vault.tampered", () -> secrets.read("a"));
        fails("vault.tampered", () -> secrets.read("b"));
        fails("vault.tampered", () -> other.read("a"));
        fails("vault.tampered", secrets::names);
    }

    @Test
    void aLeftOverTemporaryFileDoesNoHarm() throws Exception {
        Secrets secrets = open().secretsFor(INSTANCE);
        secrets.write("a", bytes("1"), null);
        Path file = files(data.resolve("vault/secrets")).get(0);
        Files.write(file.resolveSibling(file.getFileName() + ".tmp"), new byte[3]);
        assertEquals(List.of("a"), secrets.names());
        secrets.write("a", bytes("2"), null);
        assertArrayEquals(bytes("2"), secrets.read("a"));
        assertEquals(1, files(data.resolve("vault/secrets")).size());
    }

    @Test
    void seededOperationsMatchAMap() throws Exception {
        RandomGenerator choice = Seeds.generator("vault.model");
        Map<String, byte[]> model = new TreeMap<>();
        LocalVault vault = open();
        for (int i = 0; i < 300; i++) {
            String name = "n" + choice.nextInt(8);
            Secrets secrets = vault.secretsFor(INSTANCE);
            switch (choice.nextInt(5)) {
                case 0, 1 -> {
                    byte[] value = new byte[choice.nextInt(100)];
                    choice.nextBytes(value);
                    secrets.write(name, value, null);
                    model.put(name, value);
                }
                case 2 -> {
                    secrets.delete(name);
                    model.remove(name);
                }
                case 3 -> vault = open();
                default -> {
                    byte[] expected = model.get(name);
                    if (expected == null) {
                        fails("secret.missing", () -> secrets.read(name));
                    } else {
                        assertArrayEquals(expected, secrets.read(name));
                    }
                }
            }
            assertEquals(model.keySet(), new HashSet<>(secrets.names()));
        }
    }

    // ---- Device key

    @Test
    void withoutItsDeviceKeyItRefusesAndMakesNoNewOne() throws Exception {
        open().secretsFor(INSTANCE).write("key", bytes("value"), null);
        Path key = files(state).get(0);
        byte[] kept = Files.readAllBytes(key);
        assertEquals(32, kept.length);
        Files.delete(key);
        LocalVault without = open();
        ProviderException e =
                fails("vault.no-device-key", () -> without.secretsFor(INSTANCE).read("key"));
        assertEquals(Kind.UNAVAILABLE, e.kind());
        assertTrue(String.valueOf(e.getMessage()).contains(key.toString()), e.getMessage());
        fails("vault.no-device-key", () -> without.secretsFor(INSTANCE).write("other", bytes("x"), null));
        fails("vault.no-device-key", () -> without.unlock(chars("1234")));
        fails("vault.no-device-key", () -> without.setPin(null, chars("1234")));
        fails("vault.no-device-key", without::lock);
        assertTrue(without.state().locked());
        assertEquals(List.of(), files(state));

        byte[] wrong = kept.clone();
        wrong[0] ^= 1;
        Files.write(key, wrong);
        fails("vault.wrong-device-key", () -> open().secretsFor(INSTANCE).read("key"));
        Files.write(key, kept);
        assertArrayEquals(bytes("value"), open().secretsFor(INSTANCE).read("key"));
    }

    @Test
    void secretsWithoutAHeadAreLeftAlone() throws Exception {
        open().secretsFor(INSTANCE).write("key", bytes("value"), null);
        Path head = data.resolve("vault/head");
        byte[] kept = Files.readAllBytes(head);
        Files.delete(head);
        fails("vault.tampered", () -> open().secretsFor(INSTANCE).read("key"));
        assertFalse(Files.exists(head));
        for (int i = 0; i < kept.length; i++) {
            byte[] bad = kept.clone();
            bad[i] ^= 1;
            Files.write(head, bad);
            assertThrows(
                    ProviderException.class, () -> open().secretsFor(INSTANCE).read("key"));
        }
        Files.write(head, kept);
        assertArrayEquals(bytes("value"), open().secretsFor(INSTANCE).read("key"));
    }

    @Test
    void aCredentialReplacesTheKeyFile() throws Exception {
        Path credentials = Files.createDirectory(root.resolve("credentials"));
        Map<String, String> env = Map.of("CREDENTIALS_DIRECTORY", credentials.toString());
        Files.write(credentials.resolve(VaultKeys.CREDENTIAL), new byte[31]);
        fails(
                "vault.bad-device-key",
                () -> open(CHEAP, env).secretsFor(INSTANCE).names());
        byte[] key = new byte[32];
        random.nextBytes(key);
        Files.write(credentials.resolve(VaultKeys.CREDENTIAL), key);
        open(CHEAP, env).secretsFor(INSTANCE).write("a", bytes("1"), null);
        assertFalse(Files.exists(state));
        assertArrayEquals(bytes("1"), open(CHEAP, env).secretsFor(INSTANCE).read("a"));
        fails("vault.no-device-key", () -> open().secretsFor(INSTANCE).read("a"));
    }

    @Test
    void theStateDirectoryLiesOutsideTheData() {
        state = data.resolve("x/../state");
        assertThrows(IllegalArgumentException.class, this::open);
    }

    // ---- PIN

    @Test
    void pinLocksAndUnlocksAlsoAfterARestart() throws Exception {
        LocalVault vault = open();
        assertEquals(new Vault.State(false, false, 0, Instant.EPOCH), vault.state());
        fails("pin.not-set", vault::lock);
        fails("pin.not-set", () -> vault.unlock(chars("1234")));
        vault.setPin(null, chars("1234"));
        assertEquals(new Vault.State(true, false, 0, Instant.EPOCH), vault.state());
        vault.lock();
        assertTrue(vault.state().locked());
        vault.unlock(chars("1234"));
        assertFalse(vault.state().locked());
        LocalVault again = open();
        assertTrue(again.state().locked());
        assertEquals(
                Kind.AUTHENTICATION,
                fails("pin.wrong", () -> again.unlock(chars("1235"))).kind());
        again.unlock(chars("1234"));
        fails("pin.wrong", () -> again.setPin(null, chars("9999")));
        fails("pin.wrong", () -> again.setPin(chars("1235"), chars("9999")));
        again.setPin(chars("1234"), chars("9".repeat(64)));
        again.lock();
        fails("pin.wrong", () -> again.unlock(chars("1234")));
        again.unlock(chars("9".repeat(64)));
        again.setPin(chars("9".repeat(64)), null);
        assertEquals(new Vault.State(false, false, 0, Instant.EPOCH), open().state());
    }

    @Test
    void pinsAreDigitsOfABoundedNumber() {
        LocalVault vault = open();
        for (String pin : List.of("", "123", "1".repeat(65), "12a4", "１２３４", "12 34", "-1234")) {
            assertEquals(
                    Kind.REJECTED,
                    fails("pin.format", () -> vault.setPin(null, chars(pin))).kind());
        }
        assertFalse(vault.state().pinSet());
    }

    @Test
    void arraysAreOverwritten() throws Exception {
        LocalVault vault = open();
        char[] pin = chars("1234");
        vault.setPin(null, pin);
        assertArrayEquals(new char[4], pin);
        char[] wrong = chars("4321");
        fails("pin.wrong", () -> vault.unlock(wrong));
        assertArrayEquals(new char[4], wrong);
    }

    @Test
    void wrongPinsAreSlowedDownOverRestarts() throws Exception {
        open().setPin(null, chars("1234"));
        long[] waits = {0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
        for (int i = 0; i < waits.length; i++) {
            LocalVault vault = open();
            fails("pin.wrong", () -> vault.unlock(chars("0000")));
            Vault.State after = open().state();
            assertEquals(i + 1, after.failures());
            assertEquals(
                    waits[i] == 0 ? Instant.EPOCH : clock.instant().plusSeconds(waits[i]),
                    after.retryAt(),
                    "failure " + i);
            if (waits[i] > 0) {
                clock.advance(Duration.ofSeconds(waits[i]).minusMillis(1));
                // Even the right one, and asking does not prolong the wait.
                fails("pin.backoff", () -> open().unlock(chars("1234")));
                assertEquals(i + 1, open().state().failures());
                clock.advance(Duration.ofMillis(1));
            }
        }
        LocalVault vault = open();
        vault.unlock(chars("1234"));
        assertEquals(new Vault.State(true, false, 0, Instant.EPOCH), vault.state());
    }

    @Test
    void aTryIsCountedBeforeItIsJudged() throws Exception {
        open().setPin(null, chars("1234"));
        Path pin = data.resolve("vault/pin");
        // The disk refuses the write that counts the try: then there is no answer, not even to the right PIN.
        LocalVault vault = open();
        Files.createDirectory(pin.resolveSibling("pin.tmp"));
        Files.createFile(pin.resolveSibling("pin.tmp").resolve("in the way"));
        fails("vault.io-error", () -> vault.unlock(chars("1234")));
        fails("vault.io-error", () -> vault.unlock(chars("0000")));
        assertTrue(vault.state().locked());
    }

    @Test
    void aClockTurnedBackNeverLocksOutForLonger() throws Exception {
        LocalVault vault = open();
        vault.setPin(null, chars("1234"));
        for (int i = 0; i < 5; i++) {
            fails("pin.wrong", () -> vault.unlock(chars("0000")));
        }
        clock.advance(Duration.ofDays(-400));
        assertEquals(clock.instant().plusSeconds(30), vault.state().retryAt());
        fails("pin.backoff", () -> vault.unlock(chars("1234")));
    }

    @Test
    void aMissingOrChangedPinFileIsNoWayIn() throws Exception {
        open().setPin(null, chars("1234"));
        Path pin = data.resolve("vault/pin");
        byte[] kept = Files.readAllBytes(pin);
        Files.delete(pin);
        fails("vault.tampered", () -> open().unlock(chars("1234")));
        assertTrue(open().state().locked());
        for (int i = 0; i < kept.length; i++) {
            byte[] bad = kept.clone();
            bad[i] ^= 1;
            Files.write(pin, bad);
            fails("vault.tampered", () -> open().unlock(chars("1234")));
        }
        Files.write(pin, kept);
        open().unlock(chars("1234"));
    }

    @Test
    void lockCallsBackAndAFailingCallbackStopsNobody() throws Exception {
        LocalVault vault = open();
        Secrets secrets = vault.secretsFor(INSTANCE);
        AtomicInteger called = new AtomicInteger();
        secrets.onLock(() -> {
            throw new IllegalStateException("planted");
        });
        Runnable count = called::incrementAndGet;
        AutoCloseable first = secrets.onLock(count);
        secrets.onLock(count);
        vault.setPin(null, chars("1234"));
        vault.lock();
        assertEquals(2, called.get());
        first.close();
        first.close();
        vault.unlock(chars("1234"));
        vault.lock();
        assertEquals(3, called.get());
    }

    @Test
    void theDefaultCostIsTheOneOfTheHandbook() throws Exception {
        assertEquals(new KdfCost(65_536, 3, 1), KdfCost.DEFAULT);
        LocalVault vault = open(KdfCost.DEFAULT, Map.of());
        vault.setPin(null, chars("1234"));
        vault.lock();
        long start = System.nanoTime();
        vault.unlock(chars("1234"));
        System.out.println("PIN check at the default cost: " + (System.nanoTime() - start) / 1_000_000 + " ms");
    }

    // ---- What stays in memory

    @Test
    void pinAndPassphraseAreGoneFromTheHeapAfterLock() throws Exception {
        LocalVault vault = open(new KdfCost(1024, 2, 1), Map.of());
        Secrets secrets = vault.secretsFor(INSTANCE);
        // Kept only in a disguise that the scanner undoes byte by byte.
        byte[] disguised = new byte[32];
        for (int i = 0; i < disguised.length; i++) {
            disguised[i] = (byte) ('0' + random.nextInt(10) ^ 0x5a);
        }
        char[] held = clear(disguised);
        assertTrue(inHeap(disguised, "held"), "the scanner must find what is there");
        assertNotEquals('\0', held[0]);
        secrets.write("key", bytes("value"), held);
        secrets.unlock("key", held);
        vault.setPin(null, held);
        char[] again = clear(disguised);
        vault.lock();
        vault.unlock(again);
        vault.lock();
        assertArrayEquals(new char[32], again);
        assertFalse(inHeap(disguised, "locked"), "the PIN or the passphrase is still in the heap");
    }

    private static char[] clear(byte[] disguised) {
        char[] clear = new char[disguised.length];
        for (int i = 0; i < clear.length; i++) {
            clear[i] = (char) (disguised[i] ^ 0x5a);
        }
        return clear;
    }

    private boolean inHeap(byte[] disguised, String name) throws IOException {
        Path dump = root.resolve(name + ".hprof");
        // Garbage too: what was left behind in it can be read by whoever reads the memory.
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(dump.toString(), false);
        try (FileChannel channel = FileChannel.open(dump)) {
            MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            int length = bytes.capacity();
            for (int i = 0; i + 2 * disguised.length <= length; i++) {
                if (found(bytes, i, disguised, 1, 0)
                        || found(bytes, i, disguised, 2, 0)
                        || found(bytes, i, disguised, 2, 1)) {
                    return true;
                }
            }
        } finally {
            Files.delete(dump);
        }
        return false;
    }

    private static boolean found(MappedByteBuffer bytes, int at, byte[] disguised, int step, int offset) {
        for (int j = 0; j < disguised.length; j++) {
            if ((bytes.get(at + j * step + offset) ^ 0x5a) != disguised[j]) {
                return false;
            }
        }
        return true;
    }
}
