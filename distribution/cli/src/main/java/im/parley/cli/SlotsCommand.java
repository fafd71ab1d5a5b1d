package im.parley.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** The parts the node is made of. */
@Command(name = "slots", description = "Shows which part fills each slot, and which others could.")
final class SlotsCommand extends BaseCommand {
    SlotsCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> answer = ask("slots.list", Map.of());
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> slot : Answer.objects(answer, "slots")) {
            rows.add(List.of(
                    Answer.text(slot, "slot"),
                    Answer.flag(slot, "filled") ? Answer.text(slot, "instance") : "empty",
                    others(slot),
                    Plain.line(Answer.text(slot, "problem"))));
        }
        show(answer, Plain.table(rows));
        return Exit.OK;
    }

    private static String others(Map<String, Object> slot) throws Failure {
        List<String> others = new ArrayList<>(Answer.texts(slot, "candidates"));
        others.remove(Answer.text(slot, "instance"));
        return others.isEmpty() ? "" : "or " + String.join(", ", others);
    }
}
