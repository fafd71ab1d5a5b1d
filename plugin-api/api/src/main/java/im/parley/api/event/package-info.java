/**
 * The values of NIP-01 as plain immutable data: events, templates, rumors, filters and the 32-byte names in them. Nothing here computes an id or checks a signature; {@code im.parley.protocol} does.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.event;
