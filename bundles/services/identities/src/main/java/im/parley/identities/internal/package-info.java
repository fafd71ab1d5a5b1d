/** Routes by public key. */
@org.jspecify.annotations.NullMarked
package im.parley.identities.internal;
