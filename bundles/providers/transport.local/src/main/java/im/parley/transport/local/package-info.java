/** Relay channels to this node's own relay inside the process: the same frames as over a socket, without one. */
@org.jspecify.annotations.NullMarked
package im.parley.transport.local;
