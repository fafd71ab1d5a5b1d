/**
 * Who a user is: providers of identities and the signers that act for them. The only package through which a secret key is used.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.2.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.identity;
