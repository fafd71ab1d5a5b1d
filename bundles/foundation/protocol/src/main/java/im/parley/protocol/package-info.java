/** The Nostr grammar: one strict reader and one canonical writer for events, ids, filters and frames. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.protocol;
