/**
 * Events and records in an embedded Apache Derby, each instance a database of its own under {@code dataDir/db}, encrypted
 * with a key that the vault keeps.
 *
 * <p>Derby's encryption (AES-256, CBC, an IV fixed by the key, no authentication) is the second layer: records arrive
 * sealed by the core. Rows of events carry a keyed checksum of their own. The database is reached only by the embedded
 * driver of this bundle: the network server is not in it, and {@code javax.naming} is not imported, so that the LDAP
 * authenticator of Derby (CVE-2022-46337) cannot be loaded.
 *
 * <p>Derby is steered by system properties, the one global thing here; {@link im.parley.storage.derby.DerbyEngine} sets
 * them and takes them back.
 */
@org.jspecify.annotations.NullMarked
package im.parley.storage.derby;
