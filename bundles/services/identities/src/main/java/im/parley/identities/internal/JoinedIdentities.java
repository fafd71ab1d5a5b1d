package im.parley.identities.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.EgressControl;
import im.parley.identities.Identities;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** The {@link Identities} of this node. */
@Component(name = "im.parley.identities", service = Identities.class)
public final class JoinedIdentities implements Identities {
    private final Slot<IdentityProvider> local;
    private final @Nullable Slot<IdentityProvider> remote;
    private final EgressControl egress;
    /** Whether the egress knows what the user named before this start. */
    private boolean repeated;

    @Activate
    public JoinedIdentities(
            @Reference(target = "(parley.slot=identity)") Slot<IdentityProvider> local,
            @Reference(
                            target = "(parley.slot=identity.remote)",
                            cardinality = ReferenceCardinality.OPTIONAL,
                            policyOption = ReferencePolicyOption.GREEDY)
                    @Nullable
                    Slot<IdentityProvider> remote,
            @Reference EgressControl egress) {
        this.local = local;
        this.remote = remote;
        this.egress = egress;
    }

    @Override
    public String name() {
        return local.name();
    }

    @Override
    public Status status() {
        return local.status();
    }

    @Override
    public Lease<IdentityProvider> acquire() throws ProviderException {
        Lease<IdentityProvider> keys = local.acquire();
        if (remote == null) {
            return keys;
        }
        try {
            Lease<IdentityProvider> signers = remote.acquire();
            repeat(signers.get());
            return new JoinedLease(keys, signers, null);
        } catch (ProviderException e) {
            // The local keys work all the same.
            return new JoinedLease(keys, null, e);
        }
    }

    /** The egress forgets what the user named when the node stops. */
    private synchronized void repeat(IdentityProvider signers) throws ProviderException {
        if (!repeated && signers instanceof RemoteKeys keys) {
            for (RemoteKeys.Session session : keys.sessions()) {
                session.named().forEach(relay -> egress.allow(session.scope(), relay));
            }
            repeated = true;
        }
    }

    @Override
    public PublicKey connect(Scope scope, char[] url) throws ProviderException {
        try (Lease<IdentityProvider> lease = signers()) {
            RemoteKeys keys = keys(lease);
            Set<URI> before = named(keys);
            List<URI> relays = keys.relays(url);
            relays.forEach(relay -> egress.allow(scope, relay));
            boolean done = false;
            try {
                PublicKey identity = keys.connect(scope, url);
                refuseKnown(keys, identity);
                done = true;
                return identity;
            } finally {
                if (!done) {
                    relays.stream()
                            .filter(relay -> !before.contains(relay))
                            .forEach(relay -> egress.withdraw(scope, relay));
                }
            }
        }
    }

    private void refuseKnown(RemoteKeys keys, PublicKey identity) throws ProviderException {
        try (Lease<IdentityProvider> lease = local.acquire()) {
            if (lease.get().list().contains(identity)) {
                keys.disconnect(identity);
                throw new ProviderException(
                        Kind.REJECTED, "identity.known", "This node has the key of that signer itself. Use that.");
            }
        }
    }

    private static Set<URI> named(RemoteKeys keys) throws ProviderException {
        Set<URI> named = new HashSet<>();
        for (RemoteKeys.Session session : keys.sessions()) {
            named.addAll(session.named());
        }
        return named;
    }

    @Override
    public List<RemoteKeys.Session> remotes() throws ProviderException {
        if (remote == null) {
            return List.of();
        }
        try (Lease<IdentityProvider> lease = signers()) {
            return new ArrayList<>(keys(lease).sessions());
        }
    }

    @Override
    public void disconnect(PublicKey identity) throws ProviderException {
        if (remote != null) {
            try (Lease<IdentityProvider> lease = signers()) {
                keys(lease).disconnect(identity);
            }
        }
    }

    private Lease<IdentityProvider> signers() throws ProviderException {
        if (remote == null) {
            throw noRemote();
        }
        Lease<IdentityProvider> lease = remote.acquire();
        try {
            repeat(lease.get());
        } catch (ProviderException e) {
            lease.close();
            throw e;
        }
        return lease;
    }

    private static RemoteKeys keys(Lease<IdentityProvider> lease) throws ProviderException {
        if (lease.get() instanceof RemoteKeys keys) {
            return keys;
        }
        throw noRemote();
    }

    private static ProviderException noRemote() {
        return new ProviderException(
                Kind.UNSUPPORTED, "identity.no-remote", "This node has no part that talks to remote signers.");
    }
}
