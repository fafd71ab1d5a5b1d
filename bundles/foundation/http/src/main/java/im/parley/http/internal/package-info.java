/** Jetty, kept behind the routes: binding, the Host check, upgrades and the life of each WebSocket. */
@org.jspecify.annotations.NullMarked
package im.parley.http.internal;
