package im.parley.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** The parts the node is made of. */
@Command(name = "slots", description = "Shows which part fills each slot.")
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
                    Plain.line(Answer.text(slot, "problem"))));
        }
        show(answer, Plain.table(rows));
        return Exit.OK;
    }
}
