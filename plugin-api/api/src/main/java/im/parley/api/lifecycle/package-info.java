/**
 * What every provider is handed and how it fails: contexts, scopes, secrets, egress and the one checked exception of the SPI border.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.api.lifecycle;
