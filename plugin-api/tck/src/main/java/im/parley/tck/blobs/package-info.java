/** Contracts of what speaks with blobs that lie elsewhere. */
@org.jspecify.annotations.NullMarked
package im.parley.tck.blobs;
