/** The gift-wrap layer of NIP-59: wraps and unwraps for whatever scheme lies inside. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.envelope;
