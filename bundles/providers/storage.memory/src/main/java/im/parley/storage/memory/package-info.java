/**
 * Events and records in memory: for tests, and as the plain twin that other stores are compared with. Nothing survives the
 * object, so the host refuses this provider outside tests.
 */
@org.jspecify.annotations.NullMarked
package im.parley.storage.memory;
