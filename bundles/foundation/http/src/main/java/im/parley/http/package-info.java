/** The one HTTP server, without its types: routes by listener and path, WebSocket upgrade to frame sinks, streamed bodies, deny by default. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.http;
