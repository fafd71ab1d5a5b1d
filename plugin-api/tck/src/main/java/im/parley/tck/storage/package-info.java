/**
 * The contracts of {@code im.parley.api.storage} as tests: extend one, say how a store is opened, and every rule of the
 * API is checked, last of all against a twin too simple to be wrong.
 */
@org.jspecify.annotations.NullMarked
package im.parley.tck.storage;
