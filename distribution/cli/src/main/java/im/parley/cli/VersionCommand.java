package im.parley.cli;

import im.parley.launcher.DistributionLock;
import im.parley.launcher.LauncherException;
import im.parley.launcher.Parley;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;

/** Which distribution this is; works without a node. */
@Command(name = "version", description = "Shows the version of this distribution and the hash of its list of files.")
final class VersionCommand extends BaseCommand {
    VersionCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> result = new LinkedHashMap<>();
        String version = "unknown";
        String hash = "";
        Path home = Parley.homeOf(VersionCommand.class);
        if (home != null) {
            try {
                DistributionLock lock = DistributionLock.read(home);
                version = lock.version();
                hash = lock.hash();
            } catch (LauncherException e) {
                throw Failure.of(e);
            }
        }
        String java = System.getProperty("java.vendor") + " " + Runtime.version();
        result.put("version", version);
        result.put("lock", hash);
        result.put("java", java);
        show(result, "Parley " + version + "\n  lock  " + hash + "\n  java  " + java + "\n");
        return Exit.OK;
    }
}
