/** The one way out: what the user named, what was resolved, what was connected, and the log of it. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.egress;
