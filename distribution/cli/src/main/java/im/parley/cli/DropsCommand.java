package im.parley.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Command;

/** What arrived and was thrown away. */
@Command(name = "drops", description = "Counts what relays sent and this node threw away since its start, by reason.")
final class DropsCommand extends CircleCommand {
    DropsCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> answer = ask("drops.list", Map.of());
        List<List<String>> rows = new ArrayList<>();
        new TreeMap<>(Answer.member(answer, "drops"))
                .forEach((code, count) -> rows.add(List.of(Plain.line(code), String.valueOf(count))));
        show(answer, rows.isEmpty() ? "Nothing was thrown away." : Plain.table(rows));
        return Exit.OK;
    }
}
