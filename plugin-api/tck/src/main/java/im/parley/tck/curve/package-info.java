/** The contract of {@link im.parley.api.curve.Secp256k1} as tests that every provider of the curve runs. */
@org.jspecify.annotations.NullMarked
package im.parley.tck.curve;
