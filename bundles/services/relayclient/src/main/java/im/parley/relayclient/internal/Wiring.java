package im.parley.relayclient.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.transport.RelayTransport;
import im.parley.slot.Slot;
import java.net.URI;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.Executor;
import java.util.function.Predicate;

/**
 * What every connection is handed.
 *
 * @param own whether an address in its normal form is that of this node's relay
 * @param loops runs short work that does not block
 * @param owners runs calls to listeners, signers and waiting callers, which may block
 */
record Wiring(
        Slot<RelayTransport> sockets,
        Slot<RelayTransport> local,
        Slot<Secp256k1> curve,
        Predicate<URI> own,
        InstantSource clock,
        SecureRandom random,
        Timers timers,
        Executor loops,
        Executor owners,
        Drops drops,
        Bounds bounds) {
    long second() {
        return clock.instant().getEpochSecond();
    }
}
