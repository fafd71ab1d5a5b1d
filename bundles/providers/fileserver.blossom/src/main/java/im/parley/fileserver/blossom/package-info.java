/** A client of Blossom servers: HTTP/1.1 on sockets that come connected from the egress, and signed tokens (BUD-11). */
@org.jspecify.annotations.NullMarked
package im.parley.fileserver.blossom;
