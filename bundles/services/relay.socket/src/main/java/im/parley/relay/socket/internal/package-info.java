/** The relay on the node's HTTP server: the WebSocket clients connect to, and the information document beside it. */
@org.jspecify.annotations.NullMarked
package im.parley.relay.socket.internal;
