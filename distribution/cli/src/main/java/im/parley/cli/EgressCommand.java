package im.parley.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What left this machine. */
@Command(name = "egress", description = "Shows every attempt to reach another machine: why, whom, and what came of it.")
final class EgressCommand extends BaseCommand {
    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "How many of the newest, 1 to 1000; 50 if left out.")
    private int count = 50;

    EgressCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        Map<String, Object> answer = ask("egress.log", Map.of("limit", counted(count, 1000)));
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> entry : Answer.objects(answer, "entries")) {
            rows.add(List.of(
                    Plain.time(Answer.number(entry, "at")),
                    Plain.line(Answer.text(entry, "host")) + ":" + Answer.number(entry, "port"),
                    Plain.line(Answer.text(entry, "reason")),
                    Answer.flag(entry, "named") ? "named by you" : "not named",
                    Plain.line(Answer.text(entry, "outcome"))));
        }
        show(answer, rows.isEmpty() ? "This node has reached out to nobody." : Plain.table(rows));
        return Exit.OK;
    }
}
