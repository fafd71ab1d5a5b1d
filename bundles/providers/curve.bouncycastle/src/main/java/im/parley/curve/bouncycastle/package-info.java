/** secp256k1 in pure Java, for machines where the native library does not load. */
@org.jspecify.annotations.NullMarked
package im.parley.curve.bouncycastle;
