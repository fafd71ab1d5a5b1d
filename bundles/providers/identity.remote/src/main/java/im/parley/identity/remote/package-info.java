/** Identities whose keys are kept elsewhere: asks remote signers over relays (NIP-46), and believes nothing it can check. */
@org.jspecify.annotations.NullMarked
package im.parley.identity.remote;
