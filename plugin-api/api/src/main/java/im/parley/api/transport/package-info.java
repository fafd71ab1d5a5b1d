/**
 * Channels of text frames between a client and a relay. Everything NIP-01 says about the frames lives above.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.transport;
