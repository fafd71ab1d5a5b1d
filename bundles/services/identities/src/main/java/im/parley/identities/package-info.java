/** All identities of this node as one: local keys and remote signers are different slots, and the core need not know which. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.identities;
