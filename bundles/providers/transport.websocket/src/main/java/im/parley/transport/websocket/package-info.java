/** Relay channels over TCP and TLS: the client half of RFC 6455 on sockets that the egress connected. */
@org.jspecify.annotations.NullMarked
package im.parley.transport.websocket;
