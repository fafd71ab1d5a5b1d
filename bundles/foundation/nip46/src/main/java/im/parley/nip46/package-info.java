/** What both ends of NIP-46 share: bunker URLs, requests and responses as JSON, and the events that carry them. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.nip46;
