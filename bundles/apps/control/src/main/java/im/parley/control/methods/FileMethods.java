package im.parley.control.methods;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.blobs.FileServer;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.messenger.Circles;
import im.parley.messenger.Messenger;
import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** File servers and files of a circle: of the one that a call names, else of the default one. */
@Component(name = "im.parley.control.files", service = MethodGroup.class)
public final class FileMethods implements MethodGroup {
    private static final JsonFactory JSON = new JsonFactory();
    private static final int MAX_TAGS = 100;
    private static final String URL = "url";

    /** Of this call; the service itself stands in the default one. */
    private final Scope circle;

    private final FileTransfers files;
    private final Messenger messenger;
    private final Circles circles;
    private final InstantSource clock;

    @Activate
    public FileMethods(
            @Reference FileTransfers files,
            @Reference Messenger messenger,
            @Reference Circles circles,
            @Reference InstantSource clock) {
        this(Scope.DEFAULT, files, messenger, circles, clock);
    }

    private FileMethods(Scope circle, FileTransfers files, Messenger messenger, Circles circles, InstantSource clock) {
        this.circle = circle;
        this.files = files;
        this.messenger = messenger;
        this.circles = circles;
        this.clock = clock;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "fileserver.add",
                "fileserver.remove",
                "fileserver.list",
                "fileserver.probe",
                "file.put",
                "file.get",
                "file.describe",
                "file.jobs",
                "file.cancel",
                "file.retry",
                "file.delete");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        Scope wanted = circles.find(call.optionalText("circle"));
        return new FileMethods(wanted, files, messenger, circles, clock).answer(call);
    }

    private Map<String, Object> answer(Call call) throws ProviderException, ControlException {
        return switch (call.method()) {
            case "file.put" -> put(call);
            case "file.get" -> get(call);
            case "file.describe" -> describe(call.text("job"));
            case "file.jobs" -> jobs(call);
            case "file.cancel" -> {
                files.cancel(circle, call.text("job"));
                yield Map.of();
            }
            case "file.retry" -> {
                files.retry(circle, call.text("job"));
                yield Map.of();
            }
            case "file.delete" -> delete(call);
            default -> servers(call);
        };
    }

    private Messenger.Account account(Call call) throws ProviderException, ControlException {
        List<Messenger.Account> accounts = messenger.accounts(circle);
        String wanted = call.optionalText("account");
        if (accounts.isEmpty()) {
            throw refused("account.none", "There is no identity in this circle yet. Make one first.");
        }
        if (wanted == null) {
            if (accounts.size() > 1) {
                throw refused(
                        "account.ambiguous", "There are several identities in this circle. Say which one is meant.");
            }
            return accounts.get(0);
        }
        for (Messenger.Account account : accounts) {
            if (account.name().equals(wanted)
                    || account.npub().equals(wanted)
                    || account.pubkey().hex().equals(wanted)) {
                return account;
            }
        }
        throw refused("account.unknown", "There is no identity of that name or npub in this circle.");
    }

    private static ControlException refused(String code, String why) {
        return ControlException.of(Kind.REJECTED, code, why);
    }

    private Map<String, Object> servers(Call call) throws ProviderException, ControlException {
        Messenger.Account account = account(call);
        PublicKey key = account.pubkey();
        if (call.method().equals("fileserver.probe")) {
            return probe(key, url(call));
        }
        List<URI> servers = switch (call.method()) {
            case "fileserver.add" -> files.addServer(circle, key, url(call));
            case "fileserver.remove" -> files.removeServer(circle, key, url(call));
            default -> files.servers(circle, key);
        };
        return Map.of(
                "account",
                account.name(),
                "servers",
                servers.stream().map(URI::toString).toList());
    }

    private static URI url(Call call) throws ControlException {
        String text = call.text("url").strip();
        try {
            return new URI(text);
        } catch (URISyntaxException e) {
            throw refused(
                    "fileserver.bad-url",
                    "A file server is http or https, a host and perhaps a port, such as https://files.example.org.");
        }
    }

    private Map<String, Object> probe(PublicKey account, URI server) throws ProviderException {
        FileServer.Probe probe = files.probe(circle, account, server);
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("server", server.toString());
        shown.put("takesCiphertext", probe.takesCiphertext());
        shown.put("refusal", probe.refusal());
        shown.put("largestBytes", probe.largestBytes());
        shown.put("resumes", probe.resumes());
        return shown;
    }

    private static Path path(Call call) throws ControlException {
        try {
            Path path = Path.of(call.text("path"));
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            // No path at all is refused as one that begins nowhere.
        }
        throw refused("file.absent", "The path has to be an absolute one, on the machine of the node.");
    }

    private Map<String, Object> put(Call call) throws ProviderException, ControlException {
        PutOptions options;
        try {
            String name = call.optionalText("name");
            String type = call.optionalText("type");
            options = new PutOptions(
                    name == null ? "" : name, type == null ? "" : type, call.flag("keepMetadata"), 0, "");
        } catch (IllegalArgumentException e) {
            throw refused("param.out-of-range", "The name has at most 255 characters and the type 127.");
        }
        if (!call.has("to")) {
            return Map.of("job", files.put(circle, account(call).pubkey(), path(call), options));
        }
        List<String> to = MessengerMethods.people(call, "to");
        for (String each : to) {
            ForeignAddress.refuseSecretKey(each);
        }
        return Map.of("job", messenger.sendFile(circle, call.optionalText("account"), to, path(call), options));
    }

    private Map<String, Object> get(Call call) throws ProviderException, ControlException {
        String message = call.optionalText("message");
        if (message != null) {
            return Map.of(
                    "job",
                    messenger.saveFile(
                            circle, call.optionalText("account"), message, path(call), call.flag("replace")));
        }
        FileDescription file = description(call.text("description"));
        return Map.of("job", files.get(circle, account(call).pubkey(), file, path(call), call.flag("replace")));
    }

    private Map<String, Object> delete(Call call) throws ProviderException, ControlException {
        List<Map<String, Object>> results = new ArrayList<>();
        for (FileTransfers.Deletion deletion :
                files.delete(circle, account(call).pubkey(), description(call.text("description")))) {
            results.add(Map.of("server", deletion.server().toString(), "outcome", deletion.outcome()));
        }
        return Map.of("results", results);
    }

    private FileJob job(String id) throws ProviderException, ControlException {
        return files.job(circle, id)
                .orElseThrow(() -> refused("files.job-unknown", "There is no transfer of that number; list them."));
    }

    private Map<String, Object> describe(String id) throws ProviderException, ControlException {
        FileDescription file = job(id).description();
        if (file == null || file.urls().isEmpty()) {
            throw refused("files.not-ready", "No file server has that file yet; see how far its transfer is.");
        }
        List<List<String>> tags = new ArrayList<>();
        file.urls().forEach(url -> tags.add(List.of(URL, url.toString())));
        file.tags().stream().filter(tag -> !tag.get(0).equals("fallback")).forEach(tags::add);
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartArray();
            for (List<String> tag : tags) {
                json.writeArray(tag.toArray(String[]::new), 0, tag.size());
            }
            json.writeEndArray();
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory does not fail", e);
        }
        return Map.of("description", text.toString());
    }

    private static FileDescription description(String text) throws ProviderException, ControlException {
        String content = "";
        List<List<String>> tags = new ArrayList<>();
        try (JsonParser json = JSON.createParser(text)) {
            if (json.nextToken() != JsonToken.START_ARRAY) {
                throw bad();
            }
            while (json.nextToken() == JsonToken.START_ARRAY && tags.size() < MAX_TAGS) {
                List<String> tag = tag(json);
                boolean url = tag.size() > 1 && tag.get(0).equals(URL);
                if (url && content.isEmpty()) {
                    content = tag.get(1);
                } else {
                    tags.add(url ? List.of("fallback", tag.get(1)) : tag);
                }
            }
        } catch (IOException e) {
            throw bad();
        }
        return FileDescription.of(content, tags);
    }

    private static List<String> tag(JsonParser json) throws IOException, ControlException {
        List<String> tag = new ArrayList<>();
        for (JsonToken token = json.nextToken(); token != JsonToken.END_ARRAY; token = json.nextToken()) {
            if (token != JsonToken.VALUE_STRING) {
                throw bad();
            }
            tag.add(json.getText());
        }
        return tag;
    }

    private static ControlException bad() {
        return refused("file.bad-description", "That is not the description of a file as file.describe gives it.");
    }

    private Map<String, Object> jobs(Call call) throws ProviderException, ControlException {
        String only = call.optionalText("job");
        List<FileJob> found =
                only == null ? files.jobs(circle, (int) call.number("limit", 1, 1000, 50)) : List.of(job(only));
        return Map.of("jobs", found.stream().map(FileMethods::shown).toList(), "now", clock.millis());
    }

    private static Map<String, Object> shown(FileJob job) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("job", job.id());
        shown.put("kind", job.kind().name().toLowerCase(Locale.ROOT));
        shown.put("account", job.account().hex());
        shown.put("state", job.state().name().toLowerCase(Locale.ROOT));
        shown.put("path", job.path().toString());
        shown.put("done", job.doneBytes());
        shown.put("total", job.totalBytes());
        shown.put("bytesPerSecond", job.bytesPerSecond());
        shown.put("secondsLeft", job.secondsLeft());
        shown.put("reason", job.reason());
        shown.put("nextTry", job.nextTryAt());
        List<Map<String, Object>> servers = new ArrayList<>();
        for (FileJob.At at : job.servers()) {
            servers.add(Map.of("server", at.server().toString(), "state", at.state(), "reason", at.reason()));
        }
        shown.put("servers", servers);
        shown.put("warnings", job.warnings());
        shown.put("createdAt", job.createdAt());
        return shown;
    }
}
