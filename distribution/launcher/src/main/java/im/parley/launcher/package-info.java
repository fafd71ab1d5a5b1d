/**
 * Starts a node: checks every jar against {@code distribution.lock}, keeps them by content, writes down what runs as a
 * stack generation, boots the framework from it and tells when everything is ready. It lives on the class path, knows no
 * bundle's classes and can be embedded.
 */
@org.jspecify.annotations.NullMarked
package im.parley.launcher;
