/** Identities of this node for other programs (NIP-46): who was admitted, to what, and how to end it. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.bunker;
