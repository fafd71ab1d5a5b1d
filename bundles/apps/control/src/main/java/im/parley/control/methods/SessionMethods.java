package im.parley.control.methods;

import im.parley.api.lifecycle.ProviderException;
import im.parley.control.Call;
import im.parley.control.MethodGroup;
import im.parley.vault.Vault;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** The session lock and its PIN. */
@Component(name = "im.parley.control.session", service = MethodGroup.class)
public final class SessionMethods implements MethodGroup {
    private final Vault vault;

    @Activate
    public SessionMethods(@Reference Vault vault) {
        this.vault = vault;
    }

    @Override
    public Set<String> names() {
        return Set.of("session.state", "session.lock", "session.unlock", "pin.set");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException {
        switch (call.method()) {
            case "session.lock" -> vault.lock();
            case "session.unlock" -> {
                char[] pin = call.secret("pin");
                vault.unlock(pin == null ? new char[0] : pin);
            }
            case "pin.set" -> vault.setPin(call.secret("current"), call.secret("next"));
            default -> {
                // The state is the answer to each of them.
            }
        }
        return state(vault);
    }

    static Map<String, Object> state(Vault vault) {
        Vault.State state = vault.state();
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("pinSet", state.pinSet());
        answer.put("locked", state.locked());
        answer.put("failures", state.failures());
        answer.put("retryAt", state.retryAt().toEpochMilli());
        return answer;
    }
}
