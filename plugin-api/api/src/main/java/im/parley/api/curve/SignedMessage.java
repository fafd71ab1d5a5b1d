package im.parley.api.curve;

/**
 * One entry of a batch verification. The arrays are not copied: do not change them while the batch is verified.
 *
 * @param signature 64 bytes
 * @param message 32 bytes
 * @param publicKey 32 bytes, x-only
 */
public record SignedMessage(byte[] signature, byte[] message, byte[] publicKey) {}
