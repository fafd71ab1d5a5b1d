/** Slots and leases: the configured provider instance or nothing, and never an object past its lease. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.slot;
