package im.parley.relay.internal;

/**
 * The JSON of one event, however many readers it waits for: held once, and counted once in the backlog, from the first
 * that holds it to the last that lets go. Thread-safe.
 */
final class SharedText {
    private final String text;
    private final Backlog backlog;
    private int holders;

    SharedText(String text, Backlog backlog) {
        this.text = text;
        this.backlog = backlog;
    }

    String text() {
        return text;
    }

    int length() {
        return text.length();
    }

    synchronized void hold() {
        if (holders++ == 0) {
            backlog.add(Weight.of(text));
        }
    }

    synchronized void letGo() {
        if (--holders == 0) {
            backlog.remove(Weight.of(text));
        }
    }
}
