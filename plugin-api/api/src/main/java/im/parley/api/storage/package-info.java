/**
 * Where data rests: the relay's event store, the core's ordered, transactional record store, and the file server's blobs. What a
 * record store sees is already sealed.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.2.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.storage;
