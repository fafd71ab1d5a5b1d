package im.parley.outbox.simulation;

/** One run of a node, from boot to crash. What belongs to an ended life does nothing any more. */
public final class Life {
    private volatile boolean alive = true;

    public boolean alive() {
        return alive;
    }

    public void end() {
        alive = false;
    }
}
