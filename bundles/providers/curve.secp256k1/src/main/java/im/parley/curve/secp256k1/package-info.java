/** secp256k1 by the native libsecp256k1, four times as fast as pure Java. */
@org.jspecify.annotations.NullMarked
package im.parley.curve.secp256k1;
