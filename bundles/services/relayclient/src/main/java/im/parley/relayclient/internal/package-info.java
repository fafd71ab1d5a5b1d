/** Connections, subscriptions, AUTH and back-off behind {@link im.parley.relayclient.RelayClient}. */
@org.jspecify.annotations.NullMarked
package im.parley.relayclient.internal;
