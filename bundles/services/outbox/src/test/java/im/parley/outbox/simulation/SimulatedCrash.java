package im.parley.outbox.simulation;

/** The process ended here. An error, so that no code under test can handle it. */
public final class SimulatedCrash extends Error {
    private static final long serialVersionUID = 1L;

    public SimulatedCrash() {
        super("the node was killed here", null, false, false);
    }
}
