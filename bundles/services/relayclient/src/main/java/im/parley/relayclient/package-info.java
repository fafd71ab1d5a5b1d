/** NIP-01 bookkeeping towards relays, once for every transport. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.relayclient;
