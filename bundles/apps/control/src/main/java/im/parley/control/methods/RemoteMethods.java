package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.identities.Identities;
import im.parley.messenger.Messenger;
import java.net.URI;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Identities whose keys are at remote signers. */
@Component(name = "im.parley.control.remote", service = MethodGroup.class)
public final class RemoteMethods implements MethodGroup {
    private static final Scope CIRCLE = Scope.DEFAULT;
    private final Identities identities;
    private final Messenger messenger;

    @Activate
    public RemoteMethods(@Reference Identities identities, @Reference Messenger messenger) {
        this.identities = identities;
        this.messenger = messenger;
    }

    @Override
    public Set<String> names() {
        return Set.of("identity.connect", "identity.remotes");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        return call.method().equals("identity.connect") ? connect(call) : remotes();
    }

    private Map<String, Object> connect(Call call) throws ProviderException, ControlException {
        String name = call.text("name");
        ForeignAddress.refuseSecretKeyAsName(name, "identity.secret-key");
        String composed = Normalizer.normalize(name, Normalizer.Form.NFC);
        Messenger.Account before = messenger.accounts(CIRCLE).stream()
                .filter(account -> account.name().equals(composed))
                .findFirst()
                .orElse(null);
        List<PublicKey> known =
                identities.remotes().stream().map(RemoteKeys.Session::identity).toList();
        if (before != null && !known.contains(before.pubkey())) {
            // Asked before the secret in the URL is used up.
            throw ControlException.of(
                    Kind.REJECTED, "identity.name-taken", "An identity of this name exists in this circle.");
        }
        char[] url = call.secret("url");
        PublicKey pubkey = identities.connect(CIRCLE, url == null ? new char[0] : url);
        if (before != null && before.pubkey().equals(pubkey)) {
            // The same identity through a new invitation.
            return MessengerMethods.account(before);
        }
        try {
            return MessengerMethods.account(messenger.adoptAccount(CIRCLE, name, pubkey));
        } catch (ProviderException e) {
            if (!known.contains(pubkey)) {
                identities.disconnect(pubkey);
            }
            throw e;
        }
    }

    private Map<String, Object> remotes() throws ProviderException {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (RemoteKeys.Session session : identities.remotes()) {
            PublicKey identity = session.identity();
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("pubkey", identity == null ? "" : identity.hex());
            each.put("signer", session.signer().hex());
            each.put("relays", session.relays().stream().map(URI::toString).toList());
            each.put("approval", session.approval());
            shown.add(each);
        }
        return Map.of("remotes", shown);
    }
}
