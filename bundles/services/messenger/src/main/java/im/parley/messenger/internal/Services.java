package im.parley.messenger.internal;

import im.parley.api.identity.IdentityProvider;
import im.parley.api.transport.RelayEndpoint;
import im.parley.egress.EgressControl;
import im.parley.envelope.Envelope;
import im.parley.files.FileTransfers;
import im.parley.outbox.Outbox;
import im.parley.relayclient.RelayClient;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpaces;
import java.security.SecureRandom;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/**
 * What the messenger stands on.
 *
 * @param ownRelay this node's relay; null if it runs none
 * @param files null if there is nothing that moves files
 */
public record Services(
        SealedSpaces spaces,
        Outbox outbox,
        Envelope envelope,
        RelayClient relays,
        EgressControl egress,
        Slot<IdentityProvider> identity,
        InstantSource clock,
        SecureRandom random,
        @Nullable RelayEndpoint ownRelay,
        @Nullable FileTransfers files) {}
