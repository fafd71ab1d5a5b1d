/** The step loop and the ledger: what was decided is committed once, then performed until it is done. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.outbox;
