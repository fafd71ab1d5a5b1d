/**
 * The control surface of a node: one declared JSON-RPC 2.0 schema, served line by line over a Unix socket to the user who
 * runs the node and to nobody else.
 */
@org.jspecify.annotations.NullMarked
package im.parley.control;
