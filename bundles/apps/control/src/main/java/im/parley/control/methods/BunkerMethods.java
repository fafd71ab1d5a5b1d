package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.bunker.Bunker;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.messenger.Messenger;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Other programs that act with an identity of this node. */
@Component(name = "im.parley.control.bunker", service = MethodGroup.class)
public final class BunkerMethods implements MethodGroup {
    private static final Scope CIRCLE = Scope.DEFAULT;
    private static final int MAX_KIND = 65_535;
    private final Bunker bunker;
    private final Messenger messenger;

    @Activate
    public BunkerMethods(@Reference Bunker bunker, @Reference Messenger messenger) {
        this.bunker = bunker;
        this.messenger = messenger;
    }

    @Override
    public Set<String> names() {
        return Set.of("bunker.new", "bunker.list", "bunker.revoke");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        return switch (call.method()) {
            case "bunker.new" -> invite(call);
            case "bunker.revoke" -> {
                bunker.revoke(CIRCLE, call.text("name"));
                yield Map.of("name", call.text("name"));
            }
            default -> clients();
        };
    }

    private Map<String, Object> invite(Call call) throws ProviderException, ControlException {
        Messenger.Account account = account(call.optionalText("account"));
        Bunker.Grant grant = new Bunker.Grant(kinds(call.optionalText("kinds")), !call.flag("signOnly"));
        String url = bunker.invite(CIRCLE, account.pubkey(), call.text("name"), grant, account.relays());
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("url", url);
        answer.put("account", account.name());
        answer.put("seconds", Bunker.INVITATION.toSeconds());
        return answer;
    }

    private Messenger.Account account(@Nullable String wanted) throws ProviderException, ControlException {
        List<Messenger.Account> accounts = messenger.accounts(CIRCLE);
        if (wanted == null && accounts.size() == 1) {
            return accounts.get(0);
        }
        if (wanted == null) {
            throw ControlException.of(
                    Kind.REJECTED,
                    accounts.isEmpty() ? "account.none" : "account.ambiguous",
                    accounts.isEmpty()
                            ? "There is no identity in this circle yet."
                            : "There are several identities in this circle.");
        }
        return accounts.stream()
                .filter(account ->
                        account.name().equals(wanted) || account.npub().equals(wanted))
                .findFirst()
                .orElseThrow(() -> ControlException.of(
                        Kind.REJECTED, "account.unknown", "There is no identity of this name in this circle."));
    }

    private static Set<Integer> kinds(@Nullable String text) throws ControlException {
        Set<Integer> kinds = new TreeSet<>();
        if (text == null) {
            return kinds;
        }
        for (String each : text.split(",", -1)) {
            String kind = each.strip();
            if (!kind.matches("[0-9]{1,5}") || Integer.parseInt(kind) > MAX_KIND) {
                throw ControlException.of(
                        Kind.REJECTED, "bunker.bad-kinds", "Kinds are numbers from 0 to 65535 with commas between.");
            }
            kinds.add(Integer.valueOf(kind));
        }
        return kinds;
    }

    private Map<String, Object> clients() throws ProviderException {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Bunker.Client client : bunker.clients(CIRCLE)) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("name", client.name());
            each.put("pubkey", client.identity().hex());
            each.put("client", client.client());
            each.put(
                    "kinds",
                    client.grant().kinds().stream()
                            .sorted()
                            .map(String::valueOf)
                            .toList());
            each.put("nip44", client.grant().nip44());
            each.put("relays", client.relays().stream().map(URI::toString).toList());
            each.put("invited", client.invited());
            each.put("lastAsked", client.lastAsked());
            shown.add(each);
        }
        return Map.of("clients", shown, "drops", bunker.drops());
    }
}
