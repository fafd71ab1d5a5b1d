/** Identities whose keys this node keeps itself, sealed by its vault. */
@org.jspecify.annotations.NullMarked
package im.parley.identity.local;
