/** Keys at rest: the session lock, node secrets and sealed spaces over whatever record store is configured. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.vault;
