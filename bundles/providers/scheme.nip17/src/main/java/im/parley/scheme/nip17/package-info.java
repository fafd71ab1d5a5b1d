/** NIP-17 private direct messages as a pure step function; the wrapping itself is the envelope's. */
@org.jspecify.annotations.NullMarked
package im.parley.scheme.nip17;
