package im.parley.api.storage;

/** What became of one item of a batch. */
public enum Outcome {
    /** A new event is stored, or a tombstone is set. */
    STORED,
    /** Known already; nothing changed. */
    DUPLICATE,
    /** A newer event holds its replaceable address; nothing changed. */
    SUPERSEDED,
    /** A tombstone forbids it; nothing changed. */
    DELETED,
    /** The event was there and is gone. */
    REMOVED,
    /** There was nothing to remove. */
    ABSENT
}
