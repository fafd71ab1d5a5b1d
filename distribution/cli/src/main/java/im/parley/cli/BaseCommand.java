package im.parley.cli;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;

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

    /** Prints the result for programs or the text for people. */
    void show(Map<String, Object> result, String text) {
        if (json()) {
            invocation.out().println(new String(Json.compact(result), StandardCharsets.UTF_8));
        } else {
            invocation.out().print(text.isEmpty() || text.endsWith("\n") ? text : text + "\n");
        }
    }

    /** A connection to the node, which must run. */
    NodeClient connect() throws Failure {
        NodeClient client = NodeClient.connect(dataDir());
        if (client == null) {
            throw Failure.notRunning(dataDir());
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
