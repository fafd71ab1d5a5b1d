/**
 * Blobs that lie elsewhere: file servers that the user, or whoever sent her a file, has chosen. What they see is ciphertext.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.blobs;
