package im.parley.itests.container;

import im.parley.launcher.LaunchPlan;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Carries a launch plan from the class path, where the options are made, into the container, where the test runs. */
final class PlanFile {
    private static final Path FILE = Path.of("target", "container-plan.bin");

    private PlanFile() {}

    static void write(LaunchPlan plan) throws IOException {
        Files.createDirectories(FILE.getParent());
        Map<String, Map<String, Object>> configurations = new HashMap<>();
        plan.configurations().forEach((pid, properties) -> configurations.put(pid, new HashMap<>(properties)));
        try (ObjectOutputStream out = new ObjectOutputStream(Files.newOutputStream(FILE))) {
            out.writeObject(configurations);
            out.writeObject(new ArrayList<>(
                    plan.bundles().stream().map(LaunchPlan.Install::bsn).toList()));
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Map<String, Object>> configurations() throws IOException, ClassNotFoundException {
        try (ObjectInputStream in = new ObjectInputStream(Files.newInputStream(FILE))) {
            return (Map<String, Map<String, Object>>) in.readObject();
        }
    }

    @SuppressWarnings("unchecked")
    static List<String> bundles() throws IOException, ClassNotFoundException {
        try (ObjectInputStream in = new ObjectInputStream(Files.newInputStream(FILE))) {
            in.readObject();
            return (List<String>) in.readObject();
        }
    }
}
