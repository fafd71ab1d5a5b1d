package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.ZipInputStream;
import org.apache.felix.framework.cache.BundleCache;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class TrustStoreTest {
    private static final Instant NOW = Instant.parse("2026-11-26T12:00:00Z");
    private static final Instant UNTIL = NOW.plus(Duration.ofDays(365));
    private static final TrustStore.Situation HERE = new TrustStore.Situation(NOW, Set.of(), List.of());

    @TempDir
    Path dir;

    private final KeyPair acme = pair();
    private final KeyPair evil = pair();
    private final List<String> acts = new ArrayList<>();
    private Path state = Path.of("unset");
    private Path jar = Path.of("unset");
    private TrustStore store = TrustStore.open(Path.of("unset"));

    @BeforeEach
    void trust() throws Exception {
        state = dir.resolve("state/parley");
        jar = dir.resolve("chess.jar");
        store = TrustStore.open(state, (act, what) -> acts.add(act + " " + what));
        store.add("acme", Ed25519.hex(acme.getPublic()), List.of("com.acme"), false, NOW);
    }

    private static KeyPair pair() {
        try {
            return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        } catch (java.security.GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static PluginForge chess(String version) {
        return PluginForge.plugin("com.acme.chess", version);
    }

    private void put(byte[] content, PluginSignature signature) throws IOException {
        Files.write(jar, content);
        Files.write(PluginSignature.fileOf(jar), signature.toJson());
    }

    private PluginSignature sign(byte[] content, KeyPair key) throws LauncherException {
        return PluginSignature.sign(PluginArchive.of(content), key, UNTIL);
    }

    private void signed(PluginForge forge, KeyPair key) throws Exception {
        put(forge.jar(), sign(forge.jar(), key));
    }

    private void refused(String code) {
        refused(code, HERE);
    }

    private void refused(String code, TrustStore.Situation situation) {
        refused(code, () -> store.admit(jar, situation));
    }

    private static void refused(String code, Executable act) {
        LauncherException e = assertThrows(LauncherException.class, act);
        assertEquals(code, e.code(), e.getMessage());
    }

    private TrustStore.Admitted admitted(PluginForge forge) throws Exception {
        signed(forge, acme);
        return store.admit(jar, HERE);
    }

    @Test
    void whatATrustedPublisherSignedIsTaken() throws Exception {
        TrustStore.Admitted admitted = admitted(chess("1.2"));
        assertEquals("acme", admitted.publisher().name());
        assertArrayEquals(Files.readAllBytes(jar), admitted.archive().bytes());
        assertEquals(admitted.publisher(), store.verify(admitted.archive(), admitted.signature(), HERE));
        assertEquals(
                admitted.publisher(), TrustStore.open(state).admit(jar, HERE).publisher());
    }

    // ---- PL-01 ----

    @Test
    void PL_01_withoutItsSignatureNothingIsTaken() throws Exception {
        byte[] content = chess("1").jar();
        Files.write(jar, content);
        refused("plugin.unsigned");
        refused("plugin.unsigned", () -> store.verify(PluginArchive.of(content), null, HERE));
        Files.write(PluginSignature.fileOf(jar), new byte[0]);
        refused("plugin.bad-signature");
        put(content, sign(chess("2").jar(), acme));
        refused("plugin.bad-signature");
        refused(
                "plugin.bad-signature",
                () -> store.verify(PluginArchive.of(content), sign(chess("2").jar(), acme), HERE));
        // Of the right file, made by another key than the one it names.
        PluginSignature theirs = sign(content, evil);
        put(
                content,
                new PluginSignature(
                        Ed25519.hex(acme.getPublic()),
                        theirs.sha256(),
                        theirs.bsn(),
                        theirs.version(),
                        theirs.notAfter(),
                        theirs.signature()));
        refused("plugin.bad-signature");
    }

    @Test
    void PL_01_aSignatureForAnotherNameOrVersionOfTheSameBytesIsBad() throws Exception {
        byte[] content = chess("1.2").jar();
        for (String[] claim : new String[][] {{"com.acme.chess", "9.0.0"}, {"com.acme.other", "1.2.0"}}) {
            byte[] message = PluginSignature.message(Hashes.sha256(content), claim[0], claim[1], UNTIL);
            put(
                    content,
                    new PluginSignature(
                            Ed25519.hex(acme.getPublic()),
                            Hashes.sha256(content),
                            claim[0],
                            claim[1],
                            UNTIL,
                            java.util.Base64.getEncoder().encodeToString(Ed25519.sign(acme.getPrivate(), message))));
            refused("plugin.bad-signature");
        }
    }

    // ---- PL-02 ----

    @Test
    void PL_02_whatIsChangedAfterSigningIsABadSignatureWhateverItIs() throws Exception {
        byte[] good = chess("1").with("a.txt", "a").jar();
        PluginSignature signature = sign(good, acme);
        Map<String, byte[]> changed = new LinkedHashMap<>();
        changed.put(
                "a class more",
                chess("1").with("a.txt", "a").with("com/acme/Evil.class", "x").jar());
        PluginForge less = chess("1").with("a.txt", "a");
        less.entries.remove(0);
        changed.put("a class less", less.jar());
        PluginForge stripped = chess("1").with("a.txt", "a");
        stripped.manifest.clear();
        changed.put("no META-INF", stripped.jar());
        changed.put(
                "an entry twice",
                chess("1").with("a.txt", "a").with("a.txt", "b").jar());
        changed.put(
                "two manifests",
                chess("1").with("a.txt", "a").with("META-INF/MANIFEST.MF", "x").jar());
        PluginForge before = chess("1").with("a.txt", "a");
        before.before = new byte[] {1};
        changed.put("a byte before", before.jar());
        changed.put("a byte behind", Arrays.copyOf(good, good.length + 1));
        PluginForge other = chess("1");
        PluginForge.Entry renamed = new PluginForge.Entry("a.txt", new byte[] {'a'});
        renamed.localName = "b.txt".getBytes(StandardCharsets.UTF_8);
        changed.put("another name in the local header", other.with(renamed).jar());
        changed.put("nothing", new byte[0]);
        put(good, signature);
        store.admit(jar, HERE);
        for (Map.Entry<String, byte[]> each : changed.entrySet()) {
            put(each.getValue(), signature);
            LauncherException e = assertThrows(LauncherException.class, () -> store.admit(jar, HERE));
            assertEquals("plugin.bad-signature", e.code(), each.getKey());
        }
    }

    /** A publisher's own signature does not make such an archive one. */
    @Test
    void PL_02_aSignedArchiveThatIsNoneIsRefused() throws Exception {
        byte[] odd = Arrays.copyOf(chess("1").jar(), chess("1").jar().length + 1);
        byte[] message = PluginSignature.message(Hashes.sha256(odd), "com.acme.chess", "1.0.0", UNTIL);
        put(
                odd,
                new PluginSignature(
                        Ed25519.hex(acme.getPublic()),
                        Hashes.sha256(odd),
                        "com.acme.chess",
                        "1.0.0",
                        UNTIL,
                        java.util.Base64.getEncoder().encodeToString(Ed25519.sign(acme.getPrivate(), message))));
        refused("plugin.bad-archive");
    }

    // ---- PL-03 ----

    @Test
    void PL_03_aStrangersKeyAndAnothersNameAreUntrusted() throws Exception {
        signed(chess("1"), evil);
        refused("plugin.untrusted");
        for (String bsn : List.of("com.acmeevil", "com.acmeevil.x", "org.acme.chess", "im.parley.vault")) {
            signed(PluginForge.plugin(bsn, "1"), acme);
            refused("plugin.untrusted");
        }
        for (String bsn : List.of("com.acme.x", "com.acme.a.b.c", "com.acme")) {
            signed(PluginForge.plugin(bsn, "1"), acme);
            store.admit(jar, HERE);
        }
    }

    @Test
    void PL_03_aNameOfTheDistributionIsNobodys() throws Exception {
        store.add("house", Ed25519.hex(evil.getPublic()), List.of("im.parley.curve"), true, NOW);
        PluginForge forge = PluginForge.plugin("im.parley.curve.secp256k1", "9");
        signed(forge, evil);
        store.admit(jar, HERE);
        refused("plugin.untrusted", new TrustStore.Situation(NOW, Set.of("im.parley.curve.secp256k1"), List.of()));
    }

    @Test
    void PL_03_aRevokedKeyOrFileIsNeverTakenAgain() throws Exception {
        TrustStore.Admitted admitted = admitted(chess("1"));
        store.revokeJar(admitted.archive().sha256(), "has a hole", NOW);
        refused("plugin.revoked");
        signed(chess("2"), acme);
        store.admit(jar, HERE);
        store.revokeKey(Ed25519.hex(acme.getPublic()), "was stolen", NOW);
        refused("plugin.revoked");
        assertEquals(List.of(), store.publishers());
        refused(
                "trust.invalid",
                () -> store.add("again", Ed25519.hex(acme.getPublic()), List.of("com.acme"), false, NOW));
        assertEquals("was stolen", store.revokedKeys().get(0).why());
    }

    @Test
    void PL_03_anExpiredSignatureInstallsNothing() throws Exception {
        signed(chess("1"), acme);
        store.admit(jar, new TrustStore.Situation(UNTIL, Set.of(), List.of()));
        refused("plugin.expired", new TrustStore.Situation(UNTIL.plusMillis(1), Set.of(), List.of()));
    }

    @Test
    void PL_03_nothingGoesBackToAnOlderVersion() throws Exception {
        byte[] content = chess("1.10").jar();
        signed(chess("1.10"), acme);
        for (String[] installed : new String[][] {
            {"1.9.0", "x", ""},
            {"1.10.0", Hashes.sha256(content), ""},
            {"1.10.0", "x", "plugin.downgrade"},
            {"1.10.0.beta", "x", "plugin.downgrade"},
            {"1.11.0", "x", "plugin.downgrade"},
            {"2.0.0", Hashes.sha256(content), "plugin.downgrade"}
        }) {
            TrustStore.Situation situation = new TrustStore.Situation(
                    NOW,
                    Set.of(),
                    List.of(
                            new TrustStore.Installed("com.acme.other", "99.0.0", "y"),
                            new TrustStore.Installed("com.acme.chess", installed[0], installed[1])));
            if (installed[2].isEmpty()) {
                store.admit(jar, situation);
            } else {
                refused(installed[2], situation);
            }
        }
        store.minimum("com.acme.chess", "1.10", false);
        store.admit(jar, HERE);
        store.minimum("com.acme.chess", "1.10.0.a", false);
        refused("plugin.downgrade");
        refused("trust.invalid", () -> store.minimum("com.acme.chess", "1", false));
        assertEquals("1.0.0", store.minimum("com.acme.chess", "1", true));
        store.admit(jar, HERE);
    }

    // ---- at a start ----

    @Test
    void PL_03_whatWasAcceptedRunsOnAfterItsSignatureExpiredAndNothingElseDoes() throws Exception {
        TrustStore.Admitted admitted = admitted(chess("1"));
        TrustStore.Installed plugin = new TrustStore.Installed(
                "com.acme.chess", "1.0.0", admitted.archive().sha256());
        refused("plugin.untrusted", () -> store.recheck(plugin, Set.of()));
        store.accept(admitted, NOW);
        // It asks no clock.
        assertEquals("acme", store.recheck(plugin, Set.of()).name());
        refused("plugin.untrusted", () -> store.recheck(plugin, Set.of("com.acme.chess")));
        refused(
                "plugin.untrusted",
                () -> store.recheck(new TrustStore.Installed("com.acme.chess", "2.0.0", plugin.sha256()), Set.of()));
        refused(
                "plugin.untrusted",
                () -> store.recheck(new TrustStore.Installed("com.acme.chess", "1.0.0", "0".repeat(64)), Set.of()));
        store.minimum("com.acme.chess", "1.1", false);
        refused("plugin.downgrade", () -> store.recheck(plugin, Set.of()));
        store.minimum("com.acme.chess", "1", true);
        Publisher publisher = store.remove("acme");
        refused("plugin.untrusted", () -> store.recheck(plugin, Set.of()));
        store.add("acme", publisher.key(), publisher.prefixes(), false, NOW);
        store.recheck(plugin, Set.of());
        store.revokeKey(publisher.key(), "", NOW);
        refused("plugin.revoked", () -> store.recheck(plugin, Set.of()));
        store.forget(plugin.sha256());
        assertEquals(List.of(), store.accepted());
    }

    // ---- acts ----

    @Test
    void everyActIsWrittenDownBeforeItIsDone() throws Exception {
        String key = Ed25519.hex(acme.getPublic());
        store.accept(admitted(chess("1")), NOW);
        store.minimum("com.acme.chess", "1", false);
        store.revokeJar("a".repeat(64), "why", NOW);
        store.remove("acme");
        assertEquals(
                List.of("trust.add", "trust.accept", "trust.minimum", "trust.revoke", "trust.remove"),
                acts.stream().map(act -> act.split(" ", 2)[0]).toList());
        assertTrue(acts.get(0).contains(key) && acts.get(0).contains("com.acme"), acts.get(0));
        byte[] before = Files.readAllBytes(store.file());
        TrustStore full = TrustStore.open(state, (act, what) -> {
            throw new IOException("no space");
        });
        refused("trust.not-written", () -> full.add("acme", key, List.of("com.acme"), false, NOW));
        assertArrayEquals(before, Files.readAllBytes(store.file()));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(store.file())));
    }

    @Test
    void prefixesOfNobodyAndOfParleyAreNotBoundByMistake() throws Exception {
        String key = Ed25519.hex(evil.getPublic());
        for (String prefix : List.of(
                "com", "", "im", "im.parley", "im.parley.x", "com.acme.", ".com.acme", "com..a", "*", "com.*")) {
            refused("trust.invalid", () -> store.add("evil", key, List.of("org.evil", prefix), false, NOW));
        }
        refused("trust.invalid", () -> store.add("evil", key, List.of(), false, NOW));
        refused("trust.invalid", () -> store.add("evil", "00".repeat(32), List.of("org.evil"), false, NOW));
        refused("trust.invalid", () -> store.add("evil", key + "0", List.of("org.evil"), false, NOW));
        refused("trust.invalid", () -> store.add("acme", key, List.of("org.evil"), false, NOW));
        refused(
                "trust.invalid",
                () -> store.add("other", Ed25519.hex(acme.getPublic()), List.of("org.evil"), false, NOW));
        refused("trust.invalid", () -> store.add("a b", key, List.of("org.evil"), false, NOW));
        assertEquals(1, store.publishers().size());
        assertEquals(
                List.of("com.acme", "org.acme"),
                store.add("acme", Ed25519.hex(acme.getPublic()), List.of("org.acme", "com.acme"), false, NOW)
                        .prefixes());
        assertEquals(1, store.publishers().size());
    }

    @Test
    void aFileThatOthersCanWriteOrNobodyUnderstandsTrustsNobody() throws Exception {
        signed(chess("1"), acme);
        Files.setPosixFilePermissions(store.file(), PosixFilePermissions.fromString("rw--w----"));
        refused("trust.unreadable");
        Files.setPosixFilePermissions(store.file(), PosixFilePermissions.fromString("rw-------"));
        store.admit(jar, HERE);
        byte[] good = Files.readAllBytes(store.file());
        for (int cut = 0; cut < good.length - 1; cut += 7) {
            Files.write(store.file(), Arrays.copyOf(good, cut));
            refused("trust.unreadable");
        }
        Path elsewhere = dir.resolve("elsewhere.json");
        Files.write(elsewhere, good);
        Files.delete(store.file());
        Files.createSymbolicLink(store.file(), elsewhere);
        refused("trust.unreadable");
        Files.delete(store.file());
        refused("plugin.untrusted");
    }

    @Test
    void actsOfManyAtOnceAreAllDone() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        try {
            CountDownLatch go = new CountDownLatch(1);
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                String hash = "%064x".formatted(i);
                all.add(pool.submit(() -> {
                    go.await();
                    TrustStore.open(state, (act, what) -> {}).revokeJar(hash, "", NOW);
                    return null;
                }));
            }
            go.countDown();
            for (Future<?> each : all) {
                each.get();
            }
        } finally {
            pool.shutdown();
        }
        assertEquals(40, store.revokedJars().size());
    }

    // ---- PL-05 ----

    /** Whatever is in the file when, what is admitted is what was verified. */
    @Test
    void PL_05_aFileThatIsSwappedMeanwhileIsEitherTheSignedOneOrRefused() throws Exception {
        byte[] good = chess("1").with("pad", "p".repeat(20_000)).jar();
        byte[] bad = chess("1").with("pad", "q".repeat(20_000)).jar();
        put(good, sign(good, acme));
        AtomicBoolean done = new AtomicBoolean();
        Thread attacker = new Thread(() -> {
            Path fresh = dir.resolve("fresh");
            Random random = new Random(5);
            try {
                while (!done.get()) {
                    byte[] content = random.nextBoolean() ? good : bad;
                    if (random.nextBoolean()) {
                        Files.write(jar, content);
                    } else {
                        Files.write(fresh, content);
                        Files.move(fresh, jar, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                    }
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        attacker.start();
        int taken = 0;
        int refused = 0;
        try {
            for (int i = 0; i < 1_000 || (taken == 0 || refused == 0) && i < 100_000; i++) {
                try {
                    assertArrayEquals(good, store.admit(jar, HERE).archive().bytes());
                    taken++;
                } catch (LauncherException e) {
                    assertEquals("plugin.bad-signature", e.code());
                    refused++;
                }
            }
        } finally {
            done.set(true);
            attacker.join();
        }
        assertTrue(taken > 0 && refused > 0, taken + " taken, " + refused + " refused");
    }

    @Test
    void PL_05_whatWasCheckedCannotBeChangedByWhoeverHasIt() throws Exception {
        byte[] content = chess("1").jar();
        PluginArchive archive = PluginArchive.of(content);
        content[100] ^= 1;
        archive.bytes()[100] ^= 1;
        assertEquals(archive.sha256(), Hashes.sha256(archive.bytes()));
        assertThrows(
                UnsupportedOperationException.class, () -> archive.manifest().clear());
    }

    // ---- mutations ----

    /** Seeded: cuts, flips, copies and insertions in a good jar, and in its signature. */
    @Test
    void PL_02_noneOfTwoThousandMutationsIsTakenOrBreaksAnything() throws Exception {
        byte[] good = chess("1")
                .with("x/y.txt", "text".repeat(30))
                .with(new PluginForge.Entry("lib/inner.jar", chess("2").jar()))
                .header("Bundle-ClassPath", ".,lib/inner.jar")
                .jar();
        PluginSignature signature = sign(good, acme);
        put(good, signature);
        store.admit(jar, HERE);
        int archives = 0;
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            byte[] mutant = mutated(good, random);
            if (Arrays.equals(mutant, good)) {
                continue;
            }
            try {
                PluginArchive archive = PluginArchive.of(mutant);
                archives++;
                refused("plugin.bad-signature", () -> store.verify(archive, signature, HERE));
                sameAsOthersRead(mutant, archive, seed);
            } catch (LauncherException e) {
                assertTrue(
                        Set.of("plugin.bad-archive", "plugin.manifest-denied").contains(e.code()), "seed " + seed);
            }
            if (seed % 4 == 0) {
                put(mutant, signature);
                refused("plugin.bad-signature");
                byte[] json = signature.toJson();
                byte[] other = mutated(json, random);
                Files.write(jar, good);
                Files.write(PluginSignature.fileOf(jar), other);
                try {
                    assertEquals(signature, store.admit(jar, HERE).signature(), "seed " + seed);
                } catch (LauncherException e) {
                    assertEquals("plugin.bad-signature", e.code(), "seed " + seed);
                }
            }
        }
        assertFalse(archives > 1_000, archives + " of the mutants are archives, so they try little");
    }

    private static byte[] mutated(byte[] good, Random random) {
        byte[] mutant = good.clone();
        for (int i = random.nextInt(3); i >= 0; i--) {
            if (mutant.length == 0) {
                return mutant;
            }
            int at = random.nextInt(mutant.length);
            switch (random.nextInt(6)) {
                case 0 -> mutant[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> mutant[at] = (byte) random.nextInt(256);
                case 2 -> mutant = Arrays.copyOf(mutant, at);
                case 3 -> {
                    byte[] longer = Arrays.copyOf(mutant, mutant.length + 1 + random.nextInt(40));
                    System.arraycopy(mutant, at, longer, at + longer.length - mutant.length, mutant.length - at);
                    mutant = longer;
                }
                case 4 -> {
                    int from = random.nextInt(mutant.length);
                    int length = Math.min(mutant.length - Math.max(from, at), 1 + random.nextInt(60));
                    System.arraycopy(mutant, from, mutant, at, length);
                }
                default -> {
                    // The headers of a zip file are at its end.
                    int near = Math.max(0, mutant.length - 1 - random.nextInt(600));
                    mutant[near] = (byte) (random.nextBoolean() ? 0xFF : random.nextInt(256));
                }
            }
        }
        return mutant;
    }

    /** What passes here is the same to Java's reader of streams and to the framework's reader of manifests. */
    private static void sameAsOthersRead(byte[] jar, PluginArchive archive, int seed) throws Exception {
        ZipWalk walk = ZipWalk.of(jar, "It", new ZipWalk.Budget());
        List<String> streamed = new ArrayList<>();
        try (ZipInputStream in = new ZipInputStream(new java.io.ByteArrayInputStream(jar))) {
            for (var entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                streamed.add(entry.getName());
                assertArrayEquals(in.readAllBytes(), walk.content(entry.getName()), "seed " + seed);
            }
        }
        assertEquals(walk.names(), streamed, "seed " + seed);
        byte[] text = Objects.requireNonNull(walk.content("META-INF/MANIFEST.MF"));
        Map<String, Object> framework = new java.util.TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        BundleCache.getMainAttributes(framework, new java.io.ByteArrayInputStream(text), (long) text.length);
        assertEquals(archive.manifest(), framework, "seed " + seed);
    }
}
