package im.parley.slot.internal;

/** What a provider opened, until the last of those who use it lets go. Thread-safe. */
final class Opened {
    private final String instance;
    private final Object object;
    private final Runnable release;
    private int users = 1;

    /** @param release closes the object and gives the service back; run once */
    Opened(String instance, Object object, Runnable release) {
        this.instance = instance;
        this.object = object;
        this.release = release;
    }

    String instance() {
        return instance;
    }

    Object object() {
        return object;
    }

    /** For one more user, who is to let go too. */
    synchronized Opened shared() {
        if (users == 0) {
            throw new IllegalStateException(instance + " is closed");
        }
        users++;
        return this;
    }

    void letGo() {
        synchronized (this) {
            users--;
            if (users != 0) {
                return;
            }
        }
        release.run();
    }
}
