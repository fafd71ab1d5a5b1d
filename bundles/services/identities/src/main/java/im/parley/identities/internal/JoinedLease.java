package im.parley.identities.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.KeyExport;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Leases of both slots as one, and their objects as one, routed by public key. */
final class JoinedLease implements Lease<IdentityProvider>, KeyExport, IdentityProvider {
    private final Lease<IdentityProvider> local;
    private final @Nullable Lease<IdentityProvider> remote;
    private final @Nullable ProviderException absent;

    /**
     * @param remote null if that slot could not be leased
     * @param absent why
     */
    JoinedLease(
            Lease<IdentityProvider> local,
            @Nullable Lease<IdentityProvider> remote,
            @Nullable ProviderException absent) {
        this.local = local;
        this.remote = remote;
        this.absent = absent;
    }

    @Override
    public IdentityProvider get() {
        return this;
    }

    @Override
    public String instance() {
        return local.instance();
    }

    @Override
    public boolean retiring() {
        return local.retiring() || remote != null && remote.retiring();
    }

    @Override
    public void close() {
        local.close();
        if (remote != null) {
            remote.close();
        }
    }

    /** Who has the key. */
    private IdentityProvider of(PublicKey identity) throws ProviderException {
        if (remote != null && remote.get().list().contains(identity)) {
            return remote.get();
        }
        if (absent != null && !local.get().list().contains(identity)) {
            // It may be there, and must not be taken for gone.
            throw new ProviderException(absent.kind(), absent.code(), absent.getMessage());
        }
        return local.get();
    }

    @Override
    public List<PublicKey> list() throws ProviderException {
        List<PublicKey> all = new ArrayList<>(local.get().list());
        if (remote != null) {
            all.addAll(remote.get().list());
        }
        return List.copyOf(all);
    }

    @Override
    public PublicKey create(char @Nullable [] passphrase) throws ProviderException {
        return local.get().create(passphrase);
    }

    @Override
    public PublicKey identify(byte[] secretKey) throws ProviderException {
        return local.get().identify(secretKey);
    }

    @Override
    public PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) throws ProviderException {
        return local.get().importKey(secretKey, passphrase);
    }

    @Override
    public boolean locked(PublicKey identity) throws ProviderException {
        return of(identity).locked(identity);
    }

    @Override
    public void unlock(PublicKey identity, char[] passphrase) throws ProviderException {
        of(identity).unlock(identity, passphrase);
    }

    @Override
    public Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException {
        return of(identity).open(identity, purposes);
    }

    @Override
    public String exportKey(PublicKey identity, char[] password) throws ProviderException {
        if (of(identity) instanceof KeyExport export) {
            return export.exportKey(identity, password);
        }
        throw new ProviderException(
                Kind.UNSUPPORTED, "identity.no-export", "What holds this key does not give it away.");
    }

    /** A key behind a remote signer is not this node's to destroy; the node does not use it any more. */
    @Override
    public boolean forget(PublicKey identity) throws ProviderException {
        if (remote != null
                && remote.get() instanceof RemoteKeys keys
                && keys.sessions().stream().anyMatch(session -> Objects.equals(identity, session.identity()))) {
            keys.disconnect(identity);
            return false;
        }
        return local.get().forget(identity);
    }

    @Override
    public String toString() {
        return "JoinedLease";
    }
}
