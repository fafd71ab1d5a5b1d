/**
 * Events and records in an embedded LMDB, each instance an environment of its own under {@code dataDir/db}.
 *
 * <p>LMDB keeps its pages as they are, so what is secret never reaches it in the clear: values are sealed
 * (XChaCha20-Poly1305, bound to their place) with a key that the vault keeps, and index keys hold keyed hashes of authors and
 * tags. What the order of queries needs stays readable on disk: dates, kinds and ids of events, and the keys of records, which
 * the core makes.
 *
 * <p>Every commit is on disk when it returns. LMDB is reached through LWJGL, whose raw addresses stay inside {@link
 * im.parley.storage.lmdb.Environment}.
 */
@org.jspecify.annotations.NullMarked
package im.parley.storage.lmdb;
