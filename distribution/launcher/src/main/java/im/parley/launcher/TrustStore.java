package im.parley.launcher;

import com.sun.security.auth.module.UnixSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Version;

/**
 * Whom this machine's user trusts to make plugins, and what she took from them: {@code trust.json} in the state directory,
 * beside the device key and away from the data, so that whoever can write only the data directory cannot widen it. Every
 * call reads the file again, so a change counts at once for every node that uses that directory; changes lock it against
 * each other. Thread-safe.
 *
 * <p>A plugin is verified when it is installed ({@link #admit}), and what was accepted is kept here with its signature
 * ({@link #accept}). At every start it is looked at again ({@link #recheck}): one that was accepted goes on running after
 * its signature's {@code notAfter}, since it was valid when it was installed; one that was not accepted here, whose key or
 * jar was revoked, whose publisher was removed, or that is below the minimum version does not run.
 *
 * <p>Codes: {@code plugin.unsigned}, {@code plugin.bad-signature} (not signed by the key that the signature names),
 * {@code plugin.revoked} (key or jar), {@code plugin.untrusted} (nobody who may use that name), {@code plugin.expired},
 * {@code plugin.downgrade} (below the minimum or what is installed, or the same version with another content), {@code
 * trust.unreadable}, {@code trust.invalid}, {@code trust.not-written}.
 */
public final class TrustStore {
    static final String FILE = "trust.json";

    /** The only format there is. */
    static final int FORMAT = 1;

    private static final String LOCK = "trust.lock";
    private static final String HOUSE = "im.parley";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    private static final Pattern PREFIX = Pattern.compile("[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+");
    private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");

    private final Path directory;
    private final Path file;
    private final @Nullable Acts acts;

    /** Where every act is written down before it is done. */
    @FunctionalInterface
    public interface Acts {
        /** Returns when it is on disk. */
        void add(String act, Map<String, Object> what) throws IOException, LauncherException;
    }

    /**
     * What a plugin meets where it is to be installed.
     *
     * @param now as the host's clock says
     * @param ownNames symbolic names of the distribution, which no plugin may take
     * @param installed plugins that are installed; those of other names do not matter
     */
    public record Situation(Instant now, Set<String> ownNames, List<Installed> installed) {
        public Situation {
            ownNames = Set.copyOf(ownNames);
            installed = List.copyOf(installed);
        }
    }

    /** A plugin that is installed; the version in OSGi's canonical spelling. */
    public record Installed(String bsn, String version, String sha256) {}

    /** A plugin that may be installed: exactly these bytes, signed by that publisher. */
    public record Admitted(PluginArchive archive, PluginSignature signature, Publisher publisher) {}

    /** A key or jar that is never trusted again. */
    public record Revoked(String what, String at, String why) {}

    /** A plugin that was accepted, and when. */
    public record Accepted(PluginSignature signature, String at) {}

    /** All of the file. */
    private record Content(
            List<Publisher> publishers,
            List<Revoked> keys,
            List<Revoked> jars,
            Map<String, String> minimums,
            List<Accepted> accepted) {}

    private TrustStore(Path directory, @Nullable Acts acts) {
        this.directory = directory;
        this.file = directory.resolve(FILE);
        this.acts = acts;
    }

    /** To look and to verify: what changes it is refused. */
    public static TrustStore open(Path stateDir) {
        return new TrustStore(stateDir, null);
    }

    /** To change it, too. */
    public static TrustStore open(Path stateDir, Acts acts) {
        return new TrustStore(stateDir, acts);
    }

    /**
     * That of the node on a data directory, which may run or not, with its audit log. Looking makes and changes nothing.
     *
     * @throws LauncherException {@code data.unusable}
     */
    public static TrustStore ofNode(Path dataDir, Map<String, String> environment) throws LauncherException {
        Path stateDir = StartOptions.stateDir(dataDir.resolve(StartOptions.FILE), NodeDirectory.stateFor(environment));
        return new TrustStore(stateDir, (act, what) -> {
            DataPlace.check(dataDir, stateDir);
            NodeDirectory.claim(dataDir);
            AuditLog.open(dataDir, stateDir, InstantSource.system()).add(act, what);
        });
    }

    /** Where it lies. */
    public Path file() {
        return file;
    }

    // ---- verifying ----

    /**
     * What an installation does: reads file and signature once, checks the signature over exactly those bytes, then looks
     * into them, then asks whether the signer may. Nothing is written; {@link #accept} follows once it is installed.
     *
     * @throws LauncherException one of the codes above, {@code plugin.bad-archive}, {@code plugin.manifest-denied}, {@code
     *     plugin.not-read}
     */
    public Admitted admit(Path jar, Situation situation) throws LauncherException {
        return admit(jar, PluginSignature.fileOf(jar), situation);
    }

    /**
     * The same with a signature that lies elsewhere.
     *
     * @throws LauncherException as the other
     */
    public Admitted admit(Path jar, Path signatureFile, Situation situation) throws LauncherException {
        byte[] bytes = PluginArchive.bytesOf(jar);
        PluginSignature signature = PluginSignature.read(signatureFile);
        if (signature == null) {
            throw unsigned();
        }
        if (!signature.sha256().equals(Hashes.sha256(bytes))) {
            throw otherFile();
        }
        refuseWrong(signature);
        PluginArchive archive = PluginArchive.owned(bytes);
        return new Admitted(archive, signature, verify(archive, signature, situation));
    }

    /**
     * Whether that may be installed.
     *
     * @param signature null if there is none
     * @return who signed it
     * @throws LauncherException one of the codes above
     */
    public Publisher verify(PluginArchive archive, @Nullable PluginSignature signature, Situation situation)
            throws LauncherException {
        if (signature == null) {
            throw unsigned();
        }
        if (!signature.sha256().equals(archive.sha256())
                || !signature.bsn().equals(archive.bsn())
                || !signature.version().equals(archive.version())) {
            throw otherFile();
        }
        refuseWrong(signature);
        Content content = read();
        Publisher publisher = trusted(content, signature, situation.ownNames());
        if (situation.now().isAfter(signature.notAfter())) {
            throw PluginRefusals.of(
                    "plugin.expired",
                    "Its signature was good until " + signature.notAfter(),
                    "Ask " + publisher.name() + " for a release that is signed anew. If the clock of this machine is"
                            + " wrong, correct it.");
        }
        refuseOlder(archive, situation.installed());
        return publisher;
    }

    /**
     * At a start, before any of its code runs: whether a plugin of the stack may still run, as far as trust goes. Its bytes
     * are to be hashed by the caller.
     *
     * @throws LauncherException {@code plugin.untrusted} also if it was not accepted here; {@code plugin.revoked}, {@code
     *     plugin.downgrade}, {@code plugin.bad-signature}. The node need not stay down for it; the plugin stays out
     */
    public Publisher recheck(Installed plugin, Set<String> ownNames) throws LauncherException {
        Content content = read();
        PluginSignature signature = content.accepted().stream()
                .map(Accepted::signature)
                .filter(each -> each.sha256().equals(plugin.sha256())
                        && each.bsn().equals(plugin.bsn())
                        && each.version().equals(plugin.version()))
                .reduce((older, newer) -> newer)
                .orElseThrow(() -> PluginRefusals.of(
                        "plugin.untrusted",
                        plugin.bsn() + " " + plugin.version() + " with SHA-256 " + plugin.sha256()
                                + " was never installed by this machine's user",
                        "If the data was restored here from elsewhere, trust its publisher and install it again. Else"
                                + " find out who can write to the data directory."));
        refuseWrong(signature);
        return trusted(content, signature, ownNames);
    }

    private static LauncherException unsigned() {
        return PluginRefusals.of(
                "plugin.unsigned",
                "It has no signature: there is no " + PluginSignature.SUFFIX + " file of its name beside it",
                "Get both files from the publisher. Who builds plugins signs them with ./parley trust sign.");
    }

    private static LauncherException otherFile() {
        return PluginRefusals.signature(
                "Its signature is of another file: it was changed after it was signed, or the two do not belong"
                        + " together",
                null);
    }

    private static void refuseWrong(PluginSignature signature) throws LauncherException {
        if (!signature.isRight()) {
            throw PluginRefusals.signature("Its signature was not made by the key that it names", null);
        }
    }

    private static Publisher trusted(Content content, PluginSignature signature, Set<String> ownNames)
            throws LauncherException {
        String bsn = signature.bsn();
        for (Revoked key : content.keys()) {
            if (key.what().equals(signature.key())) {
                throw revoked("The key that signed it", key);
            }
        }
        for (Revoked jar : content.jars()) {
            if (jar.what().equals(signature.sha256())) {
                throw revoked("This very file", jar);
            }
        }
        Publisher publisher = content.publishers().stream()
                .filter(each -> each.key().equals(signature.key()))
                .findFirst()
                .orElseThrow(() -> PluginRefusals.of(
                        "plugin.untrusted",
                        "It is signed by the key " + signature.key() + ", which is none of a publisher that you trust",
                        "If you know from the publisher that this is their key: ./parley trust add NAME KEY --prefix "
                                + bsn));
        if (!publisher.mayName(bsn)) {
            throw PluginRefusals.of(
                    "plugin.untrusted",
                    "Its name " + bsn + " is none that " + publisher.name() + " may use, only "
                            + String.join(", ", publisher.prefixes()),
                    "Ask " + publisher.name() + " why. ./parley trust list shows who may use what.");
        }
        if (ownNames.contains(bsn)) {
            throw PluginRefusals.of(
                    "plugin.untrusted",
                    "Its name " + bsn + " is that of a part of the distribution, which no plugin replaces",
                    "Its author has to give it a name of its own.");
        }
        String minimum = content.minimums().get(bsn);
        if (minimum != null && new Version(signature.version()).compareTo(new Version(minimum)) < 0) {
            throw PluginRefusals.of(
                    "plugin.downgrade",
                    "It is version " + signature.version() + "; of " + bsn + " nothing below " + minimum + " runs here",
                    "Install a newer version. ./parley trust minimum shows and changes that.");
        }
        return publisher;
    }

    private static LauncherException revoked(String what, Revoked revoked) {
        return PluginRefusals.of(
                "plugin.revoked",
                what + " was revoked on " + revoked.at() + (revoked.why().isEmpty() ? "" : ": " + revoked.why()),
                "Do not install it. Its publisher may have a release under another key.");
    }

    private static void refuseOlder(PluginArchive archive, Collection<Installed> installed) throws LauncherException {
        Version version = new Version(archive.version());
        for (Installed other : installed) {
            if (!other.bsn().equals(archive.bsn())) {
                continue;
            }
            int order = version.compareTo(new Version(other.version()));
            if (order < 0) {
                throw PluginRefusals.of(
                        "plugin.downgrade",
                        "It is version " + archive.version() + ", and " + other.version() + " is installed",
                        "Install a newer one. To go back to what was there before, use ./parley plugin undo or"
                                + " remove.");
            }
            if (order == 0 && !other.sha256().equals(archive.sha256())) {
                throw PluginRefusals.of(
                        "plugin.downgrade",
                        "Version " + archive.version() + " is installed with another content",
                        "A publisher never changes what was released: ask for one with a new version.");
            }
        }
    }

    // ---- looking ----

    /** By name. */
    public List<Publisher> publishers() throws LauncherException {
        return List.copyOf(read().publishers());
    }

    public List<Revoked> revokedKeys() throws LauncherException {
        return List.copyOf(read().keys());
    }

    public List<Revoked> revokedJars() throws LauncherException {
        return List.copyOf(read().jars());
    }

    /** Symbolic name to the lowest version that runs, sorted. */
    public Map<String, String> minimums() throws LauncherException {
        return read().minimums();
    }

    /** What was accepted, oldest first. */
    public List<Accepted> accepted() throws LauncherException {
        return List.copyOf(read().accepted());
    }

    // ---- acts ----

    /**
     * Trusts a publisher, or changes the prefixes of one that is there with that key.
     *
     * @param house whether a prefix that names Parley's own parts is meant
     * @throws LauncherException {@code trust.invalid}
     */
    public Publisher add(String name, String key, Collection<String> prefixes, boolean house, Instant now)
            throws LauncherException {
        if (!NAME.matcher(name).matches()) {
            throw invalid("A publisher's name has up to 64 letters, digits, dots and dashes", "Choose another name.");
        }
        if (!Ed25519.isUsable(key)) {
            throw invalid(
                    "The key is no Ed25519 public key of 32 bytes in lower-case hex",
                    "Ask the publisher for the line that ./parley trust keygen showed, and compare it over another"
                            + " way.");
        }
        if (prefixes.isEmpty()) {
            throw invalid("No prefix was given", "Say with --prefix which names the publisher may use.");
        }
        for (String prefix : prefixes) {
            if (prefix.length() > 200 || !PREFIX.matcher(prefix).matches()) {
                throw invalid(
                        "The prefix " + prefix + " is no name of two or more parts, as com.example is",
                        "Give the publisher's own prefix.");
            }
            if (!house && ManifestRules.within(prefix, HOUSE)) {
                throw invalid(
                        "Names that begin with " + HOUSE + " are those of Parley's own parts",
                        "If you build such parts yourself, say so with --even-parley.");
            }
        }
        Publisher publisher = new Publisher(name, key, List.copyOf(new TreeSet<>(prefixes)));
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("publisher", name);
        what.put("key", key);
        what.put("prefixes", publisher.prefixes());
        change("trust.add", what, content -> {
            if (content.keys().stream().anyMatch(each -> each.what().equals(key))) {
                throw invalid("That key was revoked", "The publisher needs a new one.");
            }
            for (Publisher other : content.publishers()) {
                if (other.name().equals(name) != other.key().equals(key)) {
                    throw invalid(
                            other.key().equals(key)
                                    ? "That key is trusted as " + other.name() + " already"
                                    : "There is a publisher " + name + " with another key already",
                            "Use another name for another key, or remove the old one first.");
                }
            }
            content.publishers().removeIf(other -> other.name().equals(name));
            content.publishers().add(publisher);
            content.publishers().sort(java.util.Comparator.comparing(Publisher::name));
        });
        return publisher;
    }

    /**
     * Trusts a publisher no longer. What they made does not run after the next start.
     *
     * @throws LauncherException {@code trust.unknown}
     */
    public Publisher remove(String name) throws LauncherException {
        Publisher publisher = publisher(name);
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("publisher", name);
        what.put("key", publisher.key());
        change("trust.remove", what, content -> content.publishers().remove(publisher));
        return publisher;
    }

    /**
     * The publisher of that name.
     *
     * @throws LauncherException {@code trust.unknown}
     */
    public Publisher publisher(String name) throws LauncherException {
        return publishers().stream()
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new LauncherException(
                        "trust.unknown",
                        "Nothing was changed.",
                        "There is no publisher " + name + ".",
                        "./parley trust list shows all."));
    }

    /**
     * Trusts a key never again, on this machine; its publisher goes, too.
     *
     * @param why may be empty
     */
    public void revokeKey(String key, String why, Instant now) throws LauncherException {
        if (!HASH.matcher(key).matches()) {
            throw invalid("That is no key: 64 digits of lower-case hex", "./parley trust list shows the keys.");
        }
        revoke("key", key, why, now);
    }

    /**
     * Runs one file never again, on this machine.
     *
     * @param why may be empty
     */
    public void revokeJar(String sha256, String why, Instant now) throws LauncherException {
        if (!HASH.matcher(sha256).matches()) {
            throw invalid("That is no SHA-256: 64 digits of lower-case hex", "sha256sum FILE shows it.");
        }
        revoke("jar", sha256, why, now);
    }

    private void revoke(String kind, String value, String why, Instant now) throws LauncherException {
        String text = why.strip();
        if (text.length() > 200 || text.chars().anyMatch(Character::isISOControl)) {
            throw invalid("The reason has more than 200 characters or more than a line", "Say it shorter.");
        }
        Map<String, Object> what = new LinkedHashMap<>();
        what.put(kind, value);
        what.put("why", text);
        change("trust.revoke", what, content -> {
            List<Revoked> list = kind.equals("key") ? content.keys() : content.jars();
            if (list.stream().noneMatch(each -> each.what().equals(value))) {
                list.add(new Revoked(value, seconds(now), text));
            }
            if (kind.equals("key")) {
                content.publishers().removeIf(each -> each.key().equals(value));
            }
        });
    }

    /**
     * Lets nothing below a version run, also if it is installed.
     *
     * @param lower whether a minimum may go down, too
     * @return the version in OSGi's canonical spelling
     * @throws LauncherException {@code trust.invalid}
     */
    public String minimum(String bsn, String version, boolean lower) throws LauncherException {
        if (bsn.length() > 200 || !PREFIX.matcher(bsn).matches()) {
            throw invalid(bsn + " is no symbolic name of a plugin", "It looks like com.example.plugin.");
        }
        Version wanted;
        try {
            wanted = new Version(version);
        } catch (IllegalArgumentException e) {
            throw invalid(version + " is no version", "It looks like 1.2.3.");
        }
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("bsn", bsn);
        what.put("version", wanted.toString());
        change("trust.minimum", what, content -> {
            String before = content.minimums().get(bsn);
            if (!lower && before != null && wanted.compareTo(new Version(before)) < 0) {
                throw invalid(
                        "The minimum of " + bsn + " is " + before + ", which is higher",
                        "If versions with known faults are to run again, say so with --lower.");
            }
            content.minimums().put(bsn, wanted.toString());
        });
        return wanted.toString();
    }

    /**
     * Keeps what was admitted, as part of the act that installs it and before the stack names it: without this it does not
     * pass {@link #recheck}.
     */
    public void accept(Admitted admitted, Instant now) throws LauncherException {
        PluginSignature signature = admitted.signature();
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("bsn", signature.bsn());
        what.put("version", signature.version());
        what.put("sha256", signature.sha256());
        what.put("publisher", admitted.publisher().name());
        change("trust.accept", what, content -> {
            content.accepted().removeIf(each -> each.signature().sha256().equals(signature.sha256()));
            content.accepted().add(new Accepted(signature, seconds(now)));
        });
    }

    /** Forgets what was accepted and can never run again here: one that is to run again is installed again. */
    public void forget(String sha256) throws LauncherException {
        if (read().accepted().stream()
                .anyMatch(each -> each.signature().sha256().equals(sha256))) {
            change(
                    "trust.forget",
                    Map.of("sha256", sha256),
                    content -> content.accepted()
                            .removeIf(each -> each.signature().sha256().equals(sha256)));
        }
    }

    private static String seconds(Instant now) {
        return now.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    private static LauncherException invalid(String why, String next) {
        return new LauncherException("trust.invalid", "Nothing was changed.", why + ".", next);
    }

    // ---- the file ----

    private interface Change {
        void apply(Content content) throws LauncherException;
    }

    /** The line in the log first, so that no change goes without; if the change then fails, that is a line, too. */
    private void change(String act, Map<String, Object> what, Change change) throws LauncherException {
        Acts log = Objects.requireNonNull(acts, "this trust store was opened to look");
        NodeDirectory.ownerOnly(directory, "trust.not-written", "Nothing was changed.");
        try {
            FileGuard.holding(directory.resolve(LOCK), () -> {
                Content content = read();
                change.apply(content);
                log.add(act, what);
                try {
                    DurableFile.write(file, json(content));
                } catch (IOException e) {
                    log.add("trust.failed", Map.of("text", act + " was not written"));
                    throw e;
                }
                return content;
            });
        } catch (IOException e) {
            throw new LauncherException(
                    "trust.not-written",
                    "Nothing was changed.",
                    file + " or the audit log cannot be written: " + e.getMessage() + ".",
                    "Make room, or correct the owner of the state directory and of the data directory.",
                    e);
        }
    }

    private Content read() throws LauncherException {
        try {
            byte[] json = Files.readAllBytes(file);
            Set<PosixFilePermission> mode = Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS);
            Object owner = Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (Files.isSymbolicLink(file) || ((Number) owner).longValue() != new UnixSystem().getUid()) {
                throw new IOException("it is a link or belongs to another user");
            }
            if (mode.contains(PosixFilePermission.GROUP_WRITE) || mode.contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new IOException("others may write it, so it may say what they want");
            }
            return parse(Json.object(json));
        } catch (NoSuchFileException nobodyYet) {
            return new Content(
                    new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new TreeMap<>(), new ArrayList<>());
        } catch (IOException | DateTimeException | IllegalArgumentException e) {
            throw new LauncherException(
                    "trust.unreadable",
                    "Nobody is trusted.",
                    file + ": " + e.getMessage() + ".",
                    "Restore the file from a backup, or move it away and trust your publishers again.",
                    e);
        }
    }

    private static Content parse(Map<String, Object> root) throws IOException {
        if (Json.number(root, "format") != FORMAT) {
            throw new IOException("its format is not " + FORMAT);
        }
        List<Publisher> publishers = new ArrayList<>();
        for (Map<String, Object> one : Json.objects(root, "publishers")) {
            publishers.add(new Publisher(Json.text(one, "name"), Json.text(one, "key"), Json.texts(one, "prefixes")));
        }
        Map<String, String> minimums = new TreeMap<>();
        Map<String, Object> written = Json.member(root, "minimums");
        for (String bsn : written.keySet()) {
            minimums.put(bsn, new Version(Json.text(written, bsn)).toString());
        }
        List<Accepted> accepted = new ArrayList<>();
        for (Map<String, Object> one : Json.objects(root, "accepted")) {
            accepted.add(new Accepted(PluginSignature.of(Json.member(one, "signature")), Json.text(one, "at")));
        }
        return new Content(publishers, revoked(root, "revokedKeys"), revoked(root, "revokedJars"), minimums, accepted);
    }

    private static List<Revoked> revoked(Map<String, Object> root, String name) throws IOException {
        List<Revoked> revoked = new ArrayList<>();
        for (Map<String, Object> one : Json.objects(root, name)) {
            revoked.add(new Revoked(Json.text(one, "what"), Json.text(one, "at"), Json.text(one, "why")));
        }
        return revoked;
    }

    private static byte[] json(Content content) {
        List<Map<String, Object>> publishers = new ArrayList<>();
        for (Publisher publisher : content.publishers()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("name", publisher.name());
            one.put("key", publisher.key());
            one.put("prefixes", publisher.prefixes());
            publishers.add(one);
        }
        List<Map<String, Object>> accepted = new ArrayList<>();
        for (Accepted each : content.accepted()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("at", each.at());
            one.put("signature", each.signature().toMap());
            accepted.add(one);
        }
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", FORMAT);
        root.put("publishers", publishers);
        root.put("revokedKeys", revoked(content.keys()));
        root.put("revokedJars", revoked(content.jars()));
        root.put("minimums", content.minimums());
        root.put("accepted", accepted);
        return Json.pretty(root);
    }

    private static List<Map<String, Object>> revoked(List<Revoked> list) {
        List<Map<String, Object>> all = new ArrayList<>();
        for (Revoked each : list) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("what", each.what());
            one.put("at", each.at());
            one.put("why", each.why());
            all.add(one);
        }
        return all;
    }
}
