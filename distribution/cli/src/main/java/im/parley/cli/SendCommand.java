package im.parley.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends one text. */
@Command(
        name = "send",
        description =
                "Sends a text. When it returns the message is safe on disk and goes out by itself. It waits up to 2 s"
                        + " to say where the message is; with --json it does not wait.")
final class SendCommand extends WritingCommand {
    @Parameters(index = "0", paramLabel = "TO", description = "A contact, an own identity, an npub or an nprofile.")
    private String to = "";

    @Option(
            names = "--and",
            paramLabel = "NAME",
            description = "One more, up to 8 times: a room of these people, in which everybody sees everything.")
    private List<String> others = new ArrayList<>();

    SendCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, IOException, InterruptedException {
        Map<String, Object> address = new LinkedHashMap<>();
        SecretKeys.refuseAsAddress("The message was not sent.", to);
        address.put("to", to);
        for (String other : others) {
            SecretKeys.refuseAsAddress("The message was not sent.", other);
        }
        if (!others.isEmpty()) {
            address.put("and", String.join("\n", others));
        }
        return write("message.send", address);
    }
}
