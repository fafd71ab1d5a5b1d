package im.parley.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** From a plan over a question to the act. */
final class Plans {
    private Plans() {}

    /** A plan for people. */
    static String words(Map<String, Object> plan) throws Failure {
        if (Answer.flag(plan, "empty")) {
            return "Nothing to do: the node is that already.\n";
        }
        StringBuilder text = new StringBuilder("Changes:\n");
        for (String change : Answer.texts(plan, "changes")) {
            text.append("  ").append(Plain.line(change)).append('\n');
        }
        List<String> refreshes = Answer.texts(plan, "refreshes");
        if (!refreshes.isEmpty()) {
            text.append("Bound anew: ")
                    .append(Plain.line(String.join(", ", refreshes)))
                    .append('\n');
        }
        text.append("How it is done: ").append(Answer.text(plan, "verdict"));
        List<String> reasons = Answer.texts(plan, "reasons");
        text.append(reasons.isEmpty() ? "" : ", because " + Plain.line(String.join("; ", reasons)))
                .append(".\n");
        for (Map<String, Object> plugin : Answer.objects(plan, "plugins")) {
            text.append(reach(plugin));
        }
        String warning = Answer.text(plan, "warning");
        return text.append(warning.isEmpty() ? "" : warning + "\n").toString();
    }

    /** Who made a plugin and what it reaches, in plain words. */
    static String reach(Map<String, Object> plugin) throws Failure {
        List<String> services = Answer.texts(plugin, "services");
        List<String> hosts = Answer.texts(plugin, "hosts");
        return Plain.line(Answer.text(plugin, "bsn") + " " + Answer.text(plugin, "version")) + "\n"
                + "  signed by     " + Plain.line(Answer.text(plugin, "signer")) + ", key "
                + Plain.line(Answer.text(plugin, "key")) + "\n"
                + "  SHA-256       " + Plain.line(Answer.text(plugin, "sha256")) + "\n"
                + "  services      " + (services.isEmpty() ? "only what it is handed" : line(services)) + "\n"
                + "  machines      " + (hosts.isEmpty() ? "none" : hosts.contains("*") ? "any" : line(hosts)) + "\n"
                + "  files         "
                + (Answer.text(plugin, "files").equals("own") ? "the directory of its own instance" : "none") + "\n"
                + "  machine code  "
                + (Answer.flag(plugin, "nativeCode") ? "yes, which no fence of Java holds" : "none") + "\n";
    }

    private static String line(List<String> names) {
        return Plain.line(String.join(", ", names));
    }

    /** Shows the plan, asks unless told not to, and does exactly that plan. */
    static int carryOut(
            BaseCommand command,
            boolean yes,
            @Nullable String why,
            String planning,
            Map<String, Object> planned,
            String acting,
            Map<String, Object> params)
            throws Failure, InterruptedException {
        Map<String, Object> plan = command.ask(planning, planned);
        if (!Answer.flag(plan, "empty") && !yes) {
            if (!command.json()) {
                command.invocation().out().print(words(plan));
                command.invocation().out().flush();
            }
            confirm(command);
        }
        Map<String, Object> act = new LinkedHashMap<>(params);
        act.put("plan", Answer.text(plan, "plan"));
        if (why != null) {
            act.put("why", why);
        }
        Map<String, Object> report = HandoverCommands.watched(command, acting, act);
        StringBuilder text = new StringBuilder();
        if (yes && !Answer.flag(plan, "empty")) {
            text.append(words(plan));
        }
        text.append(command.advice(Plain.line(Answer.text(report, "words"))));
        command.show(report, text.toString());
        return Exit.OK;
    }

    private static void confirm(BaseCommand command) throws Failure {
        if (command.json() || !command.invocation().interactive()) {
            throw new Failure(
                    Exit.REFUSED,
                    "cli.not-confirmed",
                    "Nothing was changed.",
                    "Nobody is there to ask.",
                    "Look at the plan, then say --yes.");
        }
        command.invocation().out().print("Do it? Type yes: ");
        command.invocation().out().flush();
        if (!answer(command).equals("yes")) {
            throw new Failure(
                    Exit.REFUSED, "cli.not-confirmed", "Nothing was changed.", "The answer was not yes.", "Ask again.");
        }
    }

    /** What is typed in one line; empty at the end of the input. */
    static String answer(BaseCommand command) {
        List<Byte> line = new ArrayList<>();
        try {
            for (int c = command.invocation().in().read();
                    c >= 0 && c != '\n';
                    c = command.invocation().in().read()) {
                line.add((byte) c);
            }
        } catch (IOException e) {
            return "";
        }
        byte[] bytes = new byte[line.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = line.get(i);
        }
        return new String(bytes, StandardCharsets.UTF_8).strip();
    }
}
