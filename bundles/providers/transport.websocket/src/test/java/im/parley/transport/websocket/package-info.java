/** Tests of the WebSocket transport against relays that speak through bare sockets. */
@org.jspecify.annotations.NullMarked
package im.parley.transport.websocket;
