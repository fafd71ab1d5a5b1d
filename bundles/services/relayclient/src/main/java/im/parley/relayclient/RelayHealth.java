package im.parley.relayclient;

import java.net.URI;
import java.time.Instant;

/**
 * @param scope circle
 * @param state {@code connected}, {@code connecting}, {@code waiting} or {@code idle}
 * @param problem why it waits; empty if it does not
 * @param retryAt next try when waiting; the epoch otherwise
 */
public record RelayHealth(String scope, URI relay, String lane, String state, String problem, Instant retryAt) {}
