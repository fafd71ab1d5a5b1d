package im.parley.storage.derby;

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

/** Fills the slot {@code storage.events}: the relay's events in an encrypted database of their own. */
@Component(
        name = DerbyEventStoreProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=storage.events")
@Designate(ocd = DerbyEventStoreProvider.Config.class, factory = true)
public final class DerbyEventStoreProvider implements Provider<EventStore> {
    static final String PID = "im.parley.storage.derby.events";

    private final DerbyEngine engine;
    private final Tuning tuning;
    private final int groupItems;
    private final int readers;

    @Activate
    public DerbyEventStoreProvider(@Reference DerbyEngine engine, Config config) {
        this.engine = engine;
        tuning = Tuning.checked(PID, config.pageCacheSize(), config.checkpointIntervalBytes());
        Tuning.checkRange(PID, "groupItems", config.groupItems(), 1, 10_000);
        Tuning.checkRange(PID, "readers", config.readers(), 1, 64);
        groupItems = config.groupItems();
        readers = config.readers();
    }

    @Override
    public EventStore open(ProviderContext context) throws ProviderException {
        return DerbyEventStore.open(engine, context, tuning, groupItems, readers);
    }

    /** What an operator may set. */
    @ObjectClassDefinition(
            name = "Parley: events in Derby",
            description = "The relay's store of events in an embedded, encrypted Apache Derby.")
    @interface Config {
        @AttributeDefinition(
                name = "Page cache",
                description =
                        "Pages of 4 KiB kept in memory, 40 to 200,000. 8,000 are 32 MiB; a relay with millions of "
                                + "events is quicker with 30,000.")
        int pageCacheSize() default 8_000;

        @AttributeDefinition(
                name = "Checkpoint interval",
                description =
                        "Bytes of log written between two checkpoints, 1,048,576 to 128,000,000. More means fewer "
                                + "pauses while writing and a longer start after a crash.")
        int checkpointIntervalBytes() default 32 << 20;

        @AttributeDefinition(
                name = "Items of a group",
                description =
                        "Most items written with one sync of the disk, 1 to 10,000. Readers wait while a group is "
                                + "written.")
        int groupItems() default 256;

        @AttributeDefinition(
                name = "Readers",
                description = "Queries that read at the same time, 1 to 64; more wait for their turn.")
        int readers() default 8;
    }
}
