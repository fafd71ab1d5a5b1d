package im.parley.storage.memory;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.storage.RecordStore;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;

/** Fills the slot {@code storage.records} in tests: each opening is a new, empty store. */
@Component(
        name = "im.parley.storage.memory.records",
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = {Provider.SLOT + "=storage.records", Provider.TEST_ONLY + ":Boolean=true"})
public final class MemoryRecordStoreProvider implements Provider<RecordStore> {
    @Override
    public RecordStore open(ProviderContext context) {
        return new MemoryRecordStore();
    }
}
