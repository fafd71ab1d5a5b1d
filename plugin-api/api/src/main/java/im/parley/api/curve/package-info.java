/**
 * The one curve operation set everything else stands on: secp256k1 with BIP-340 Schnorr signatures, as in Bitcoin and Nostr.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.curve;
