package im.parley.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** File servers, and files on their way. */
final class FileCommands {
    private static final long POLL_MILLIS = 250;
    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final int MAX_DESCRIPTION = 256 * 1024;

    private FileCommands() {}

    /** A command about the servers of an identity. */
    private abstract static class ServerCommand extends CircleCommand {
        @Option(names = "--as", paramLabel = "IDENTITY", description = "Whose file servers.")
        private @Nullable String as;

        ServerCommand(Invocation invocation) {
            super(invocation);
        }

        Map<String, Object> params() {
            return ContactCommands.as(as);
        }

        int list(String done, Map<String, Object> answer) throws Failure {
            List<String> servers = Answer.texts(answer, "servers");
            StringBuilder text = new StringBuilder(done);
            text.append("File servers of ")
                    .append(Plain.line(Answer.text(answer, "account")))
                    .append(servers.isEmpty() ? ": none.\n" : "\n");
            servers.forEach(
                    server -> text.append("  ").append(Plain.line(server)).append('\n'));
            show(answer, text.toString());
            return Exit.OK;
        }
    }

    @Command(
            name = "add",
            description = "Adds a file server: what you send lies there, encrypted, until it is fetched.")
    static final class Add extends ServerCommand {
        @Parameters(paramLabel = "URL", description = "https://host or http://host:port.")
        private String url = "";

        Add(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseInUrl("The file server was not added.", url);
            Map<String, Object> params = params();
            params.put("url", url);
            return list("Added. ", ask("fileserver.add", params));
        }
    }

    @Command(name = "remove", description = "Takes a file server off the list; what lies there stays there.")
    static final class Remove extends ServerCommand {
        @Parameters(paramLabel = "URL", description = "As ./parley files server list shows it.")
        private String url = "";

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseInUrl("The file server was not removed.", url);
            Map<String, Object> params = params();
            params.put("url", url);
            return list("Removed. ", ask("fileserver.remove", params));
        }
    }

    @Command(name = "list", description = "Lists the file servers of an identity, in order.")
    static final class Servers extends ServerCommand {
        Servers(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return list("", ask("fileserver.list", params()));
        }
    }

    @Command(name = "probe", description = "Asks a file server what it takes from you; stores nothing there.")
    static final class Probe extends ServerCommand {
        @Parameters(paramLabel = "URL", description = "As ./parley files server list shows it.")
        private String url = "";

        Probe(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseInUrl("The file server was not asked.", url);
            Map<String, Object> params = params();
            params.put("url", url);
            Map<String, Object> answer = ask("fileserver.probe", params);
            long largest = Answer.number(answer, "largestBytes");
            String refusal = Answer.text(answer, "refusal");
            show(
                    answer,
                    "  takes encrypted files  "
                            + (Answer.flag(answer, "takesCiphertext")
                                    ? "yes"
                                    : refusal.equals("fileserver.does-not-say")
                                            ? "it does not say"
                                            : "no [" + Plain.line(refusal) + "]")
                            + "\n  largest file           "
                            + (largest < 0 ? "it does not say" : Plain.bytes(largest))
                            + "\n  goes on where it broke "
                            + (Answer.flag(answer, "resumes") ? "yes" : "no")
                            + "\n  how long it keeps them it does not say\n");
            return Exit.OK;
        }
    }

    /** One line about a transfer. */
    private static String line(Map<String, Object> job) throws Failure {
        long total = Answer.number(job, "total");
        long left = Answer.number(job, "secondsLeft");
        String reason = Answer.text(job, "reason");
        StringBuilder line = new StringBuilder(Answer.text(job, "state"));
        if (total >= 0) {
            line.append(", ")
                    .append(Plain.bytes(Answer.number(job, "done")))
                    .append(" of ")
                    .append(Plain.bytes(total));
        }
        if (Answer.number(job, "bytesPerSecond") > 0) {
            line.append(", ")
                    .append(Plain.bytes(Answer.number(job, "bytesPerSecond")))
                    .append("/s");
        }
        if (left >= 0) {
            line.append(", ").append(Plain.duration(left * 1_000)).append(" left");
        }
        if (!reason.isEmpty()) {
            line.append(" [").append(Plain.line(reason)).append(']');
        }
        return line.toString();
    }

    private static Map<String, Object> job(NodeClient client, String id) throws Failure {
        return Answer.objects(client.call("file.jobs", Map.of("job", id)), "jobs")
                .get(0);
    }

    /** A command that begins a transfer and waits for it. */
    private abstract static class TransferCommand extends CircleCommand {
        @Option(names = "--as", paramLabel = "IDENTITY", description = "Whose file servers are used.")
        @Nullable
        String as;

        @Option(names = "--no-wait", description = "Return at once; the transfer goes on by itself.")
        boolean noWait;

        TransferCommand(Invocation invocation) {
            super(invocation);
        }

        int fetch(Map<String, Object> params, String target, boolean replace) throws Failure, InterruptedException {
            params.put("path", Path.of(target).toAbsolutePath().normalize().toString());
            params.put("replace", replace);
            try (NodeClient client = connect()) {
                String id = Answer.text(client.call("file.get", params), "job");
                if (noWait) {
                    show(Map.of("job", id), advice("Transfer " + id + " goes on; see ./parley files jobs.\n"));
                    return Exit.OK;
                }
                Map<String, Object> job = await(client, id, "The file was not fetched.");
                show(job, "Written to " + Plain.line(Answer.text(job, "path")) + ".\n");
                return Exit.OK;
            }
        }

        /** The job when it is available or over; of one that failed a {@link Failure}. */
        Map<String, Object> await(NodeClient client, String id, String what) throws Failure, InterruptedException {
            long told = System.nanoTime();
            while (true) {
                Map<String, Object> job = job(client, id);
                String state = Answer.text(job, "state");
                if (state.equals("done") || state.equals("available")) {
                    return job;
                }
                if (state.equals("failed") || state.equals("cancelled")) {
                    String reason = Answer.text(job, "reason");
                    throw new Failure(
                            Exit.REFUSED,
                            reason,
                            what,
                            "Transfer " + id + " is " + state + ".",
                            "See ./parley files jobs; ./parley files retry " + id + " tries it again.");
                }
                if (!json() && System.nanoTime() - told > TELL_NANOS) {
                    told = System.nanoTime();
                    invocation().err().println(line(job));
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
        }
    }

    @Command(
            name = "put",
            description =
                    "Encrypts a file, uploads it, and prints what is needed to get it. Whoever has that can read the"
                            + " file: keep it in a file, and give it away as you would the file itself.")
    static final class Put extends TransferCommand {
        @Parameters(paramLabel = "FILE", description = "Of any kind, up to 64 GiB.")
        private String file = "";

        @Option(
                names = "--to",
                paramLabel = "TO",
                description = "Sends it as a message, too: to a contact, an own identity, an npub or an nprofile.")
        private @Nullable String to;

        @Option(names = "--and", paramLabel = "NAME", description = "One more with --to, up to 8 times.")
        private List<String> others = new ArrayList<>();

        @Option(names = "--name", paramLabel = "NAME", description = "What those who get it see as its name.")
        private @Nullable String name;

        @Option(names = "--type", paramLabel = "TYPE", description = "Media type, such as image/png.")
        private @Nullable String type;

        @Option(names = "--keep-metadata", description = "Send a picture with all that it tells: place, time, camera.")
        private boolean keepMetadata;

        Put(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("path", Path.of(file).toAbsolutePath().normalize().toString());
            if (to != null) {
                SecretKeys.refuseAsAddress("The file was not sent.", to);
                params.put("to", to);
                if (!others.isEmpty()) {
                    params.put("and", String.join("\n", others));
                }
            }
            if (name != null) {
                params.put("name", name);
            }
            if (type != null) {
                params.put("type", type);
            }
            if (keepMetadata) {
                params.put("keepMetadata", true);
            }
            try (NodeClient client = connect()) {
                String id = Answer.text(client.call("file.put", params), "job");
                if (noWait) {
                    show(Map.of("job", id), advice("Transfer " + id + " goes on; see ./parley files jobs.\n"));
                    return Exit.OK;
                }
                Map<String, Object> job = await(client, id, "The file was not uploaded.");
                Map<String, Object> result = new LinkedHashMap<>(job);
                String description = Answer.text(client.call("file.describe", Map.of("job", id)), "description");
                result.put("description", description);
                show(result, to == null ? description + "\n" : "Sent to " + Plain.line(to) + ".\n");
                if (!json()) {
                    for (String warning : Answer.texts(job, "warnings")) {
                        invocation().err().println("Note: " + Plain.line(warning));
                    }
                }
                return Exit.OK;
            }
        }
    }

    @Command(name = "save", description = "Downloads the file of a message, checks and decrypts it.")
    static final class Save extends TransferCommand {
        @Parameters(
                index = "0",
                paramLabel = "ID",
                description = "The message: the beginning of its id, as ./parley inbox --ids shows it.")
        private String message = "";

        @Parameters(index = "1", paramLabel = "FILE", description = "Where to write it.")
        private String file = "";

        @Option(names = "--force", description = "Replace the file if it is there.")
        private boolean force;

        Save(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("message", message);
            return fetch(params, file, force);
        }
    }

    @Command(name = "get", description = "Downloads a file, checks and decrypts it.")
    static final class Get extends TransferCommand {
        @Parameters(
                index = "0",
                paramLabel = "DESCRIPTION",
                description = "The file with what ./parley files put printed, or - for standard input.")
        private String description = "";

        @Parameters(index = "1", paramLabel = "FILE", description = "Where to write it.")
        private String file = "";

        @Option(names = "--force", description = "Replace the file if it is there.")
        private boolean force;

        Get(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("description", read(invocation(), description));
            return fetch(params, file, force);
        }
    }

    /** Never from arguments: there is a key in it. */
    private static String read(Invocation invocation, String from) throws Failure {
        try {
            byte[] bytes;
            if (from.equals("-")) {
                bytes = invocation.in().readNBytes(MAX_DESCRIPTION);
            } else {
                try (java.io.InputStream in = Files.newInputStream(Path.of(from))) {
                    bytes = in.readNBytes(MAX_DESCRIPTION);
                }
            }
            return new String(bytes, StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new Failure(
                    Exit.REFUSED,
                    "file.absent",
                    "The file was not asked for.",
                    e instanceof NoSuchFileException
                            ? "The description is not there."
                            : "The description cannot be read.",
                    "Name the file with what ./parley files put printed, or - for standard input.");
        }
    }

    @Command(name = "delete", description = "Takes a file back from every server it is at.")
    static final class Delete extends ServerCommand {
        @Parameters(
                paramLabel = "DESCRIPTION",
                description = "The file with what ./parley files put printed, or - for standard input.")
        private String description = "";

        Delete(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = params();
            try (NodeClient client = connect()) {
                params.put("description", read(invocation(), description));
                Map<String, Object> answer = client.call("file.delete", params);
                List<List<String>> rows = new ArrayList<>();
                for (Map<String, Object> result : Answer.objects(answer, "results")) {
                    rows.add(List.of(
                            Plain.line(Answer.text(result, "server")), Plain.line(Answer.text(result, "outcome"))));
                }
                show(answer, Plain.table(rows));
                return Exit.OK;
            }
        }
    }

    @Command(name = "jobs", description = "Lists transfers, the newest first.")
    static final class Jobs extends CircleCommand {
        @Option(names = "-n", paramLabel = "N", description = "How many, 1 to 1000; 20 without it.")
        private int most = 20;

        Jobs(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("file.jobs", Map.of("limit", counted(most, 1_000)));
            List<List<String>> rows = new ArrayList<>();
            for (Map<String, Object> job : Answer.objects(answer, "jobs")) {
                rows.add(List.of(
                        Answer.text(job, "job"),
                        Answer.text(job, "kind"),
                        line(job),
                        Plain.line(Answer.text(job, "path"))));
            }
            show(answer, rows.isEmpty() ? "No transfers.\n" : Plain.table(rows));
            return Exit.OK;
        }
    }

    @Command(name = "cancel", description = "Ends a transfer; what a server has stays there.")
    static final class Cancel extends CircleCommand {
        @Parameters(paramLabel = "JOB", description = "Its number, as ./parley files jobs shows it.")
        private String job = "";

        Cancel(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            show(ask("file.cancel", Map.of("job", job)), "Cancelled.\n");
            return Exit.OK;
        }
    }

    @Command(name = "retry", description = "Tries now what waits, and again what has failed.")
    static final class Retry extends CircleCommand {
        @Parameters(paramLabel = "JOB", description = "Its number, as ./parley files jobs shows it.")
        private String job = "";

        Retry(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            show(ask("file.retry", Map.of("job", job)), "It is tried again.\n");
            return Exit.OK;
        }
    }
}
