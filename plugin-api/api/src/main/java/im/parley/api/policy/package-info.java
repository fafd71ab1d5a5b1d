/**
 * Rules of a relay about what it takes and what it answers, beyond what the protocol asks of every relay: signatures, read
 * guards, deletion and the limits of the NIP-11 document are the core's and cannot be relaxed by a policy.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.policy;
