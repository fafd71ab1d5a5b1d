/**
 * The command line of Parley. It holds no logic of its own: it starts a node, asks it over the control socket and shows
 * the answers, to people as text and to programs as JSON.
 */
@org.jspecify.annotations.NullMarked
package im.parley.cli;
