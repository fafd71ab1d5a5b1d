/** A store, relays and time for tests: everything that happens is decided by one seed and replays exactly. */
@org.jspecify.annotations.NullMarked
package im.parley.outbox.simulation;
