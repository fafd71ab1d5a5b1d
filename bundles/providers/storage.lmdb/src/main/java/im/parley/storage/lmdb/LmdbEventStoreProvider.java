package im.parley.storage.lmdb;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Fills the slot {@code storage.events}: the relay's events in an LMDB of their own. */
@Component(
        name = LmdbEventStoreProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=storage.events")
@Designate(ocd = LmdbEventStoreProvider.Config.class, factory = true)
public final class LmdbEventStoreProvider implements Provider<EventStore> {
    static final String PID = "im.parley.storage.lmdb.events";

    private final LmdbEngine engine;
    private final long mapBytes;
    private final int groupItems;

    @Activate
    public LmdbEventStoreProvider(@Reference LmdbEngine engine, Config config) {
        this.engine = engine;
        mapBytes = Tuning.mapBytes(PID, config.mapSizeGiB());
        groupItems = Tuning.checked(PID, "groupItems", config.groupItems(), 1, 10_000);
    }

    @Override
    public EventStore open(ProviderContext context) throws ProviderException {
        return LmdbEventStore.open(engine, context, mapBytes, groupItems);
    }

    /** What an operator may set. */
    @ObjectClassDefinition(
            name = "Parley: events in LMDB",
            description = "The relay's store of events in an embedded LMDB, sealed.")
    @interface Config {
        @AttributeDefinition(
                name = "Map size",
                description = "GiB that the store's file may grow to, 1 to 16,384. It reserves address space, neither "
                        + "memory nor disk; lower it only where a limit on virtual memory demands it.")
        int mapSizeGiB() default 64;

        @AttributeDefinition(
                name = "Items of a group",
                description = "Most items written with one sync of the disk, 1 to 10,000.")
        int groupItems() default 256;
    }
}
