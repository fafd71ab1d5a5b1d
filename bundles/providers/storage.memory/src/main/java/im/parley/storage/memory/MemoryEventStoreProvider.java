package im.parley.storage.memory;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.storage.EventStore;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;

/** Fills the slot {@code storage.events} in tests: each opening is a new, empty store. */
@Component(
        name = "im.parley.storage.memory.events",
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = {Provider.SLOT + "=storage.events", Provider.TEST_ONLY + ":Boolean=true"})
public final class MemoryEventStoreProvider implements Provider<EventStore> {
    @Override
    public EventStore open(ProviderContext context) {
        return new MemoryEventStore();
    }
}
