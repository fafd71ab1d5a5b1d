/** What the node's own relay tells about itself, for status and readiness; everything else it does is on the wire. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.relay;
