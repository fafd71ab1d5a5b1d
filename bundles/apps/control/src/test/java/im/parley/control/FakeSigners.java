package im.parley.control;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.bunker.Bunker;
import im.parley.identities.Identities;
import im.parley.slot.Lease;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** One remote signer, and clients that are never connected. */
final class FakeSigners implements Identities, Bunker {
    private static final PublicKey KEY = FakeMessenger.KEY;
    private static final List<URI> RELAYS = List.of(URI.create("wss://r.example"));

    private final List<Client> clients = new ArrayList<>();

    @Override
    public PublicKey connect(Scope scope, char[] url) {
        return KEY;
    }

    @Override
    public List<RemoteKeys.Session> remotes() {
        return List.of(
                new RemoteKeys.Session(Scope.DEFAULT, null, KEY, RELAYS, RELAYS, "https://signer.example/approve"));
    }

    @Override
    public void disconnect(PublicKey identity) {}

    @Override
    public String invite(Scope scope, PublicKey identity, String name, Grant grant, List<URI> relays)
            throws ProviderException {
        clients.add(new Client(name, identity, KEY, "", grant, relays, 1, 0));
        return "bunker://x";
    }

    @Override
    public List<Client> clients(Scope scope) {
        return List.copyOf(clients);
    }

    @Override
    public void revoke(Scope scope, String name) {
        clients.removeIf(client -> client.name().equals(name));
    }

    @Override
    public Map<String, Long> drops() {
        return Map.of("bunker.stranger", 1L);
    }

    @Override
    public String name() {
        return "identity";
    }

    @Override
    public Lease<IdentityProvider> acquire() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Status status() {
        return new Status("identity", "fake~main", "", 0);
    }
}
