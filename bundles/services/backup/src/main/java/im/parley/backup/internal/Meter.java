package im.parley.backup.internal;

import im.parley.backup.Backups;

/** How far a piece of work is. One thread works, any looks. */
final class Meter {
    private volatile Backups.Progress now = new Backups.Progress("", 0, 0);

    /** @param total 0 if not known */
    void phase(String phase, long total) {
        now = new Backups.Progress(phase, 0, total);
    }

    void step() {
        Backups.Progress before = now;
        now = new Backups.Progress(before.phase(), before.done() + 1, before.total());
    }

    void end() {
        phase("", 0);
    }

    Backups.Progress now() {
        return now;
    }
}
