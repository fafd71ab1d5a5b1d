package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.messenger.Circles;
import im.parley.outbox.Ledger;
import java.net.URI;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Which circles there are, and making, naming, ending and inviting to them. */
@Component(name = "im.parley.control.circles", service = MethodGroup.class)
public final class CircleMethods implements MethodGroup {
    private final Circles circles;
    private final Ledger ledger;

    @Activate
    public CircleMethods(@Reference Circles circles, @Reference Ledger ledger) {
        this.circles = circles;
        this.ledger = ledger;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "circle.new",
                "circle.list",
                "circle.rename",
                "circle.delete",
                "circle.invite",
                "circle.read",
                "circle.join");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        return switch (call.method()) {
            case "circle.new" -> circle(circles.create(draft(call)));
            case "circle.list" -> all();
            case "circle.rename" -> circle(circles.rename(call.text("circle"), name(call, "name")));
            case "circle.delete" -> delete(call.text("circle"), call.text("again"));
            case "circle.invite" -> invitation(circles.invite(call.text("circle"), call.optionalText("account")));
            case "circle.read" -> invitation(circles.read(call.text("link")));
            default -> join(call);
        };
    }

    private static Circles.Draft draft(Call call) throws ControlException {
        String description = call.optionalText("description");
        return new Circles.Draft(
                name(call, "name"),
                description == null ? "" : description,
                lines(call.optionalText("relays")),
                lines(call.optionalText("fileServers")),
                call.number("seconds", 0, Long.MAX_VALUE, 0));
    }

    private static String name(Call call, String parameter) throws ControlException {
        String name = call.text(parameter);
        ForeignAddress.refuseSecretKeyAsName(name, "circle.secret-key");
        return name;
    }

    private static List<String> lines(@Nullable String text) {
        return text == null
                ? List.of()
                : text.lines().filter(line -> !line.isBlank()).toList();
    }

    private Map<String, Object> all() throws ProviderException {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Circles.Summary circle : circles.all()) {
            shown.add(circle(circle));
        }
        return Map.of("circles", shown);
    }

    private Map<String, Object> delete(String name, String again) throws ProviderException, ControlException {
        circles.find(name);
        if (!composed(name).equals(composed(again))) {
            throw ControlException.of(
                    Kind.REJECTED, "circle.not-confirmed", "The name that was given again is another one.");
        }
        return Map.of("keysKept", circles.delete(name));
    }

    private static String composed(String name) {
        return Normalizer.normalize(name, Normalizer.Form.NFC);
    }

    private Map<String, Object> join(Call call) throws ProviderException, ControlException {
        String relays = call.optionalText("relays");
        String contact = call.optionalText("contact");
        if (contact != null) {
            ForeignAddress.refuseSecretKeyAsName(contact, "contact.secret-key");
        }
        String name = call.optionalText("name");
        if (name != null) {
            ForeignAddress.refuseSecretKeyAsName(name, "circle.secret-key");
        }
        String identity = call.text("identity");
        ForeignAddress.refuseSecretKeyAsName(identity, "identity.secret-key");
        Circles.Joined joined =
                circles.join(call.text("link"), name, identity, contact, relays == null ? null : lines(relays));
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("circle", circle(joined.circle()));
        answer.put("account", MessengerMethods.account(joined.account()));
        answer.put("contact", MessengerMethods.contact(joined.contact()));
        return answer;
    }

    private Map<String, Object> circle(Circles.Summary circle) throws ProviderException {
        Ledger.Totals totals = ledger.totals(circle.scope());
        Map<String, Long> byState = new LinkedHashMap<>();
        for (Ledger.State state : Ledger.State.values()) {
            byState.put(
                    state.name().toLowerCase(Locale.ROOT).replace('_', ' '),
                    totals.byState().getOrDefault(state, 0L));
        }
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", circle.name());
        shown.put("id", circle.scope().circle());
        shown.put("description", circle.description());
        shown.put("relays", texts(circle.relays()));
        shown.put("fileServers", texts(circle.fileServers()));
        shown.put("seconds", circle.timerSeconds());
        shown.put("createdAt", circle.createdAt());
        shown.put("identities", circle.identities());
        shown.put("inboxRelays", circle.inboxRelays());
        shown.put("messages", circle.messages());
        shown.put("sent", totals.sent());
        shown.put("exact", totals.exact());
        shown.put("byState", byState);
        return shown;
    }

    private static Map<String, Object> invitation(Circles.Invitation invitation) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("link", invitation.link());
        shown.put("circle", invitation.circle());
        shown.put("description", invitation.description());
        shown.put("from", invitation.from());
        shown.put("inviter", invitation.inviter());
        shown.put("relays", texts(invitation.relays()));
        shown.put("fileServers", texts(invitation.fileServers()));
        return shown;
    }

    private static List<String> texts(List<URI> addresses) {
        return addresses.stream().map(URI::toString).toList();
    }
}
