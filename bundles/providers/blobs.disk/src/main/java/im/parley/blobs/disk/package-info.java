/**
 * Blobs as plain files: {@code blobs/ab/<sha256>} for those whose hash begins with {@code ab}, {@code incoming/} for what
 * is being written, {@code damaged/} for what no longer has its hash. The bytes are kept as they came.
 */
@org.jspecify.annotations.NullMarked
package im.parley.blobs.disk;
