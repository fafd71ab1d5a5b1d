/** Tests of the relay client against scripted relays, on a clock and a queue that the tests move. */
@org.jspecify.annotations.NullMarked
package im.parley.relayclient.internal;
