package im.parley.cli;

import im.parley.launcher.Capabilities;
import im.parley.launcher.DistributionLock;
import im.parley.launcher.Feature;
import im.parley.launcher.LauncherException;
import im.parley.launcher.PluginArchive;
import im.parley.launcher.PluginSignature;
import im.parley.launcher.Publisher;
import im.parley.launcher.PublisherKey;
import im.parley.launcher.TrustStore;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Who may make plugins for the nodes of this user. It works on the state directory, so no node has to run, and one that
 * runs looks again at every verification.
 */
final class TrustCommands {
    private TrustCommands() {}

    /** What they share. */
    abstract static class Trust extends BaseCommand {
        private final InstantSource clock = InstantSource.system();

        Trust(Invocation invocation) {
            super(invocation);
        }

        /** Does the work. */
        abstract int act(TrustStore store) throws LauncherException, Failure, IOException;

        @Override
        int run() throws Failure, IOException {
            try {
                return act(TrustStore.ofNode(dataDir(), invocation().environment()));
            } catch (LauncherException e) {
                throw Failure.of(e);
            }
        }

        InstantSource clock() {
            return clock;
        }
    }

    private static Map<String, Object> members(Publisher publisher) {
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("name", publisher.name());
        one.put("key", publisher.key());
        one.put("prefixes", publisher.prefixes());
        return one;
    }

    @Command(name = "list", description = "Publishers, minimum versions, what was revoked, and what was accepted.")
    static final class ListAll extends Trust {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            StringBuilder text = new StringBuilder();
            List<Map<String, Object>> publishers = new ArrayList<>();
            List<List<String>> rows = new ArrayList<>();
            for (Publisher publisher : store.publishers()) {
                publishers.add(members(publisher));
                rows.add(List.of(publisher.name(), String.join(" ", publisher.prefixes()), publisher.key()));
            }
            section(text, "Publishers", rows);
            rows.clear();
            store.minimums().forEach((bsn, version) -> rows.add(List.of(bsn, version)));
            section(text, "Minimum versions", rows);
            rows.clear();
            List<Map<String, Object>> keys = revoked(store.revokedKeys(), rows);
            section(text, "Revoked keys", rows);
            rows.clear();
            List<Map<String, Object>> jars = revoked(store.revokedJars(), rows);
            section(text, "Revoked files", rows);
            rows.clear();
            List<Map<String, Object>> accepted = new ArrayList<>();
            for (TrustStore.Accepted each : store.accepted()) {
                PluginSignature signature = each.signature();
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("bsn", signature.bsn());
                one.put("version", signature.version());
                one.put("sha256", signature.sha256());
                one.put("key", signature.key());
                one.put("at", each.at());
                accepted.add(one);
                rows.add(List.of(signature.bsn(), signature.version(), signature.sha256()));
            }
            section(text, "Accepted", rows);
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("file", store.file().toString());
            result.put("publishers", publishers);
            result.put("minimums", store.minimums());
            result.put("revokedKeys", keys);
            result.put("revokedJars", jars);
            result.put("accepted", accepted);
            show(result, text.isEmpty() ? "Nobody is trusted to make plugins." : text.toString());
            return Exit.OK;
        }

        private static List<Map<String, Object>> revoked(List<TrustStore.Revoked> all, List<List<String>> rows) {
            List<Map<String, Object>> list = new ArrayList<>();
            for (TrustStore.Revoked each : all) {
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("what", each.what());
                one.put("at", each.at());
                one.put("why", each.why());
                list.add(one);
                rows.add(List.of(each.what(), each.at(), Plain.line(each.why())));
            }
            return list;
        }

        private static void section(StringBuilder text, String title, List<List<String>> rows) {
            if (!rows.isEmpty()) {
                text.append(text.isEmpty() ? "" : "\n")
                        .append(title)
                        .append('\n')
                        .append(Plain.table(rows));
            }
        }
    }

    @Command(
            name = "add",
            description = "Trusts a publisher to make plugins whose names begin with a prefix. Again with the same key:"
                    + " changes the prefixes.")
    static final class Add extends Trust {
        @Parameters(index = "0", paramLabel = "NAME", description = "How you call the publisher.")
        private String name = "";

        @Parameters(
                index = "1",
                paramLabel = "KEY",
                description = "The public key, 64 hexadecimal digits, or a PEM file of it.")
        private String key = "";

        @Option(
                names = "--prefix",
                required = true,
                paramLabel = "PREFIX",
                description = "com.acme stands for com.acme and com.acme.x. May be given several times.")
        private List<String> prefixes = List.of();

        @Option(names = "--even-parley", description = "Also a prefix within im.parley, if you build such parts.")
        private boolean house;

        Add(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            String hex = key.matches("[0-9a-fA-F]{64}")
                    ? key.toLowerCase(java.util.Locale.ROOT)
                    : PublisherKey.readPublic(Path.of(key));
            Publisher publisher = store.add(name, hex, prefixes, house, clock().instant());
            show(
                    members(publisher),
                    "Plugins named " + String.join(", ", publisher.prefixes()) + " (and below) may be signed by "
                            + publisher.name()
                            + ".\nWhat they make runs inside your node: its fences stop mistakes, not"
                            + " hostile code.");
            return Exit.OK;
        }
    }

    @Command(name = "remove", description = "Trusts a publisher no longer; what they made stays out at the next start.")
    static final class Remove extends Trust {
        @Parameters(index = "0", paramLabel = "NAME", description = "As ./parley trust list names the publisher.")
        private String name = "";

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            Publisher publisher = store.remove(name);
            show(
                    members(publisher),
                    "Nothing of " + publisher.name() + " is installed any more; what is installed stays out at the next"
                            + " start.");
            return Exit.OK;
        }
    }

    @Command(
            name = "revoke",
            description = "Trusts a key, or one file, never again on this machine. There is no way back.")
    static final class Revoke extends Trust {
        @Parameters(
                index = "0",
                arity = "0..1",
                paramLabel = "NAME",
                description = "A publisher, whose key is revoked.")
        private @Nullable String name;

        @Option(names = "--key", paramLabel = "KEY", description = "A public key, also of nobody you know.")
        private @Nullable String key;

        @Option(names = "--jar", paramLabel = "SHA256", description = "SHA-256 of a plugin's file.")
        private @Nullable String jar;

        @Option(names = "--why", paramLabel = "TEXT", description = "Why; it is shown to whoever meets it.")
        private String why = "";

        Revoke(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            long given = java.util.stream.Stream.of(name == null, key == null, jar == null)
                    .filter(absent -> !absent)
                    .count();
            if (given != 1) {
                throw Failure.usage("It takes one of NAME, --key and --jar.");
            }
            Map<String, Object> result = new LinkedHashMap<>();
            if (jar != null) {
                store.revokeJar(jar, why, clock().instant());
                result.put("jar", jar);
                show(result, "That file is never installed again; if it is installed, it stays out at the next start.");
                return Exit.OK;
            }
            String hex =
                    key != null ? key : store.publisher(String.valueOf(name)).key();
            store.revokeKey(hex, why, clock().instant());
            result.put("key", hex);
            show(result, "Nothing that key signed is installed again; what is installed stays out at the next start.");
            return Exit.OK;
        }
    }

    @Command(name = "minimum", description = "Lets no version of a plugin below this one run.")
    static final class Minimum extends Trust {
        @Parameters(index = "0", paramLabel = "PLUGIN", description = "Its symbolic name.")
        private String bsn = "";

        @Parameters(index = "1", paramLabel = "VERSION", description = "The lowest that runs.")
        private String version = "";

        @Option(names = "--lower", description = "Also if a higher one was set before.")
        private boolean lower;

        Minimum(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            String minimum = store.minimum(bsn, version, lower);
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("bsn", bsn);
            result.put("version", minimum);
            show(result, "Of " + bsn + " nothing below " + minimum + " is installed; from the next start none runs.");
            return Exit.OK;
        }
    }

    @Command(name = "keygen", description = "Makes a publisher's key pair. Only who publishes plugins needs one.")
    static final class Keygen extends BaseCommand {
        @Parameters(index = "0", paramLabel = "FILE", description = "A new file, which only you can read.")
        private Path file = Path.of("");

        Keygen(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            try {
                String key = PublisherKey.generate(file);
                Map<String, Object> result = new LinkedHashMap<>();
                result.put("key", key);
                result.put("file", file.toString());
                show(
                        result,
                        "Public key: " + key + "\nGive that to whoever shall trust your plugins. The file " + file
                                + " signs as you: keep it, and let nobody have it.");
                return Exit.OK;
            } catch (LauncherException e) {
                throw Failure.of(e);
            }
        }
    }

    @Command(name = "sign", description = "Checks a plugin as a node would, and writes its signature beside it.")
    static final class Sign extends BaseCommand {
        private static final int MOST_DAYS = 3650;

        @Parameters(index = "0", paramLabel = "JAR", description = "The plugin.")
        private Path jar = Path.of("");

        @Option(names = "--key", required = true, paramLabel = "FILE", description = "A key pair of keygen.")
        private Path key = Path.of("");

        @Option(
                names = "--valid-days",
                paramLabel = "N",
                description = "For how long it can be installed, 1 to 3650; 365 if left out. What is installed stays.")
        private int days = 365;

        Sign(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, IOException {
            if (days < 1 || days > MOST_DAYS) {
                throw Failure.usage("--valid-days is " + days + "; it must be 1 to " + MOST_DAYS + ".");
            }
            try {
                PluginArchive archive = PluginArchive.read(jar);
                PluginSignature signature = PluginSignature.sign(
                        archive,
                        PublisherKey.read(key),
                        InstantSource.system().instant().plus(Duration.ofDays(days)));
                Path file = PluginSignature.fileOf(jar);
                write(file, signature.toJson());
                Map<String, Object> result = new LinkedHashMap<>();
                result.put("file", file.toString());
                result.put("bsn", archive.bsn());
                result.put("version", archive.version());
                result.put("sha256", archive.sha256());
                result.put("key", signature.key());
                result.put("notAfter", signature.notAfter().toString());
                show(
                        result,
                        archive.bsn() + " " + archive.version() + " is signed in " + file + ", to be installed until "
                                + signature.notAfter() + ".");
                return Exit.OK;
            } catch (LauncherException e) {
                throw Failure.of(e);
            }
        }

        /** For everybody to read, and never half of it. */
        private static void write(Path file, byte[] content) throws Failure {
            Path fresh = file.resolveSibling(file.getFileName() + ".new");
            try {
                Files.write(fresh, content);
                Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rw-r--r--"));
                Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException e) {
                throw new Failure(
                        Exit.REFUSED,
                        "trust.not-written",
                        "The plugin was not signed.",
                        file + ": " + e.getMessage() + ".",
                        "Make room, or correct the rights of the directory.");
            }
        }
    }

    @Command(
            name = "check",
            description = "Whether a plugin would be taken, who signed it, and what it says that it reaches. Installs"
                    + " nothing.")
    static final class Check extends Trust {
        @Parameters(index = "0", paramLabel = "JAR", description = "The plugin; its .sig lies beside it.")
        private Path jar = Path.of("");

        Check(Invocation invocation) {
            super(invocation);
        }

        @Override
        int act(TrustStore store) throws LauncherException, Failure {
            TrustStore.Admitted admitted =
                    store.admit(jar, new TrustStore.Situation(clock().instant(), ownNames(), List.of()));
            PluginArchive archive = admitted.archive();
            Capabilities reach = archive.capabilities();
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("bsn", archive.bsn());
            result.put("version", archive.version());
            result.put("sha256", archive.sha256());
            result.put("publisher", admitted.publisher().name());
            result.put("notAfter", admitted.signature().notAfter().toString());
            result.put("services", reach.services());
            result.put("hosts", reach.hosts());
            result.put("files", reach.files().name().toLowerCase(java.util.Locale.ROOT));
            result.put("native", reach.nativeCode());
            show(
                    result,
                    Plain.table(List.of(
                            List.of("Plugin", archive.bsn() + " " + archive.version()),
                            List.of("Publisher", admitted.publisher().name()),
                            List.of("Services", none(reach.services())),
                            List.of("Hosts", none(reach.hosts())),
                            List.of(
                                    "Files",
                                    reach.files() == Capabilities.Files.OWN ? "a directory of its own" : "none"),
                            List.of("Machine code", reach.nativeCode() ? "yes" : "no"))));
            return Exit.OK;
        }

        /** Of bundles that a newer version cannot come for as a plugin: those that bring no instances. */
        private Set<String> ownNames() throws LauncherException, Failure {
            Path home = invocation().home();
            if (home == null) {
                return Set.of();
            }
            Set<String> instances = new HashSet<>();
            try (DirectoryStream<Path> features = Files.newDirectoryStream(home.resolve("features"), "*.json")) {
                for (Path feature : features) {
                    instances.addAll(Feature.parse(Files.readAllBytes(feature))
                            .configurations()
                            .keySet());
                }
            } catch (IOException e) {
                throw new Failure(
                        Exit.REFUSED,
                        "distribution.tampered",
                        "The plugin was not checked.",
                        "The features of this distribution cannot be read: " + e.getMessage() + ".",
                        "Unpack the distribution again.");
            }
            return DistributionLock.read(home).jars().stream()
                    .map(DistributionLock.Jar::bsn)
                    .filter(bsn -> instances.stream()
                            .noneMatch(pid -> pid.indexOf('~') > 0
                                    && !pid.startsWith("im.parley.slot~")
                                    && (pid.substring(0, pid.indexOf('~')) + ".").startsWith(bsn + ".")))
                    .collect(Collectors.toSet());
        }

        private static String none(List<String> names) {
            return names.isEmpty() ? "none" : String.join(" ", names);
        }
    }
}
