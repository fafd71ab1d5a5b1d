/**
 * Files of a user: what is sent is encrypted first and lies at her file servers, what is received is checked before anybody
 * sees it.
 */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.files;
