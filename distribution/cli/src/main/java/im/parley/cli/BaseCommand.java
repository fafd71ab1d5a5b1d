package im.parley.cli;

import im.parley.launcher.NodeDirectory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/** What all commands share. A subclass does its work in {@link #run} and says what is to be seen through {@link #show}. */
abstract class BaseCommand implements Callable<Integer> {
    private final Invocation invocation;

    BaseCommand(Invocation invocation) {
        this.invocation = invocation;
    }

    /** Does the work and returns the exit code. */
    abstract int run() throws Failure, IOException, InterruptedException;

    @Override
    public Integer call() throws Exception {
        return run();
    }

    Invocation invocation() {
        return invocation;
    }

    Path dataDir() {
        return invocation.options().dataDir();
    }

    boolean json() {
        return invocation.options().json();
    }

    /**
     * Prints the result for programs or the text for people.
     *
     * @throws Failure {@code cli.output}; whatever the command did is done
     */
    void show(Map<String, ? extends @Nullable Object> result, String text) throws Failure {
        if (json()) {
            invocation.out().println(JsonText.of(result));
        } else {
            invocation.out().print(text.isEmpty() || text.endsWith("\n") ? text : text + "\n");
        }
        if (invocation.out().checkError()) {
            throw Failure.outputLost();
        }
    }

    /** Advice of ours; see {@link Invocation#advice}. */
    String advice(String text) {
        return invocation.advice(text);
    }

    /** A number of things to show. */
    static int counted(int given, int most) throws Failure {
        if (given < 1 || given > most) {
            throw Failure.usage("-n is " + given + "; it must be 1 to " + most + ".");
        }
        return given;
    }

    /** A connection to the node, which must run. */
    NodeClient connect() throws Failure {
        NodeClient client = NodeClient.connect(dataDir());
        if (client == null) {
            NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
            // It may have become ready in between.
            client = holder == null ? null : NodeClient.connect(dataDir());
            if (client == null) {
                throw holder == null ? Failure.notRunning(dataDir()) : Failure.notAnswering(dataDir(), holder);
            }
        }
        return client;
    }

    /** One call over a connection of its own. */
    Map<String, Object> ask(String method, Map<String, Object> params) throws Failure {
        try (NodeClient client = connect()) {
            return client.call(method, params);
        }
    }
}
