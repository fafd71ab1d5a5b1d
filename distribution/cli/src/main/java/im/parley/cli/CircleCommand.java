package im.parley.cli;

import picocli.CommandLine.Option;

/** What happens in a circle: the one that is named, else the default one. The node is told in every call. */
abstract class CircleCommand extends BaseCommand {
    CircleCommand(Invocation invocation) {
        super(invocation);
    }

    @Option(names = "--circle", paramLabel = "NAME", description = "In this circle. Default: the default circle.")
    void circle(String name) {
        invocation().chooseCircle(name);
    }

    @Override
    NodeClient connect() throws Failure {
        return super.connect().in(invocation().circle());
    }
}
