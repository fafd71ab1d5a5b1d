package im.parley.control.methods;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.MethodGroup;
import im.parley.messenger.InternetNames;
import java.util.Map;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Names of the internet. */
@Component(name = "im.parley.control.names", service = MethodGroup.class)
public final class NameMethods implements MethodGroup {
    private final InternetNames names;

    @Activate
    public NameMethods(@Reference InternetNames names) {
        this.names = names;
    }

    @Override
    public Set<String> names() {
        return Set.of("name.find");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException {
        InternetNames.Found found = names.find(Scope.DEFAULT, call.text("address"));
        return Map.of("address", found.address(), "pubkey", found.pubkey().hex(), "nprofile", found.nprofile());
    }
}
