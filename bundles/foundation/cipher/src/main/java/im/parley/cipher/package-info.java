/** Ciphers, message authentication and key derivation that need no curve: the primitives of NIP-44 and of sealing at rest. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.cipher;
