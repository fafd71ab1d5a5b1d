package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.backup.Backups;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Backups: making, looking, bringing back. */
@Component(name = "im.parley.control.backup", service = MethodGroup.class)
public final class BackupMethods implements MethodGroup {
    private static final long MOST_SECONDS = Duration.ofDays(365).toSeconds();
    private static final long MOST_KEPT = 10_000;

    private final Backups backups;

    @Activate
    public BackupMethods(@Reference Backups backups) {
        this.backups = backups;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "backup.look",
                "backup.key",
                "backup.run",
                "backup.list",
                "backup.plans",
                "backup.verify",
                "backup.prune",
                "backup.schedule",
                "backup.restore",
                "backup.progress");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        return switch (call.method()) {
            case "backup.look" ->
                Map.of("place", backups.look(directory(call)).name().toLowerCase(Locale.ROOT));
            case "backup.key" -> Map.of("key", backups.recoveryKey());
            case "backup.run" -> made(backups.run(directory(call), call.secret("passphrase")));
            case "backup.list" ->
                Map.of("snapshots", snapshots(backups.list(directory(call), call.secret("passphrase"))));
            case "backup.plans" -> plans();
            case "backup.verify" -> verified(backups.verify(directory(call), call.secret("passphrase")));
            case "backup.prune" -> prune(call);
            case "backup.schedule" -> schedule(call);
            case "backup.restore" -> restore(call);
            default -> progress();
        };
    }

    private static Path directory(Call call) throws ControlException {
        String text = call.text("directory");
        try {
            Path directory = Path.of(text);
            if (directory.isAbsolute()) {
                return directory.normalize();
            }
        } catch (InvalidPathException e) {
            // Told below.
        }
        throw ControlException.of(
                Kind.REJECTED, "backup.bad-directory", "A backup directory is named by a path from the root.");
    }

    private static Map<String, Object> made(Backups.Made made) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("number", made.number());
        shown.put("records", made.records());
        shown.put("spaces", made.spaces());
        shown.put("chunks", made.chunks());
        shown.put("written", made.written());
        shown.put("bytesWritten", made.bytesWritten());
        shown.put("pauseMillis", made.pauseMillis());
        return shown;
    }

    private static List<Map<String, Object>> snapshots(List<Backups.Snapshot> snapshots) {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Backups.Snapshot snapshot : snapshots) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("number", snapshot.number());
            each.put("createdAt", snapshot.createdAt());
            each.put("records", snapshot.records());
            each.put("chunks", snapshot.chunks());
            each.put("whole", snapshot.whole());
            shown.add(each);
        }
        return shown;
    }

    private Map<String, Object> plans() throws ProviderException {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Backups.Plan plan : backups.plans()) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("directory", plan.directory().toString());
            each.put("seconds", plan.every().toSeconds());
            each.put("keep", plan.keep());
            each.put("lastNumber", plan.lastNumber());
            each.put("lastAt", plan.lastAt());
            each.put("nextAt", plan.nextAt());
            each.put("problem", plan.problem());
            shown.add(each);
        }
        return Map.of("plans", shown);
    }

    private static Map<String, Object> verified(Backups.Verified verified) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("snapshots", snapshots(verified.snapshots()));
        shown.put("chunks", verified.chunks());
        shown.put("damaged", verified.damaged());
        return shown;
    }

    private Map<String, Object> prune(Call call) throws ProviderException, ControlException {
        int keep = (int) call.number("keep", 1, MOST_KEPT, 1);
        Backups.Pruned pruned = backups.prune(directory(call), call.secret("passphrase"), keep);
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("snapshots", pruned.snapshots());
        shown.put("kept", pruned.kept());
        shown.put("chunks", pruned.chunks());
        return shown;
    }

    private Map<String, Object> schedule(Call call) throws ProviderException, ControlException {
        Duration every = Duration.ofSeconds(call.number("seconds", 0, MOST_SECONDS, 0));
        int keep = (int) call.number("keep", 0, MOST_KEPT, 0);
        backups.schedule(directory(call), call.secret("passphrase"), every, keep);
        return plans();
    }

    private Map<String, Object> restore(Call call) throws ProviderException, ControlException {
        long number = call.number("snapshot", 1, Long.MAX_VALUE, 0);
        Backups.Restored restored = backups.restore(directory(call), call.secret("passphrase"), number);
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("number", restored.number());
        shown.put("createdAt", restored.createdAt());
        shown.put("records", restored.records());
        shown.put("identities", restored.identities());
        return shown;
    }

    private Map<String, Object> progress() {
        Backups.Progress progress = backups.progress();
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("phase", progress.phase());
        shown.put("done", progress.done());
        shown.put("total", progress.total());
        return shown;
    }
}
