/**
 * End-to-end encryption schemes as pure step functions: state and input in, next state and effects out. The core commits and performs the effects.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.scheme;
