package im.parley.storage.lmdb;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Fills the slot {@code storage.records}: the core's sealed records in an LMDB of their own. */
@Component(
        name = LmdbRecordStoreProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=storage.records")
@Designate(ocd = LmdbRecordStoreProvider.Config.class, factory = true)
public final class LmdbRecordStoreProvider implements Provider<RecordStore> {
    static final String PID = "im.parley.storage.lmdb.records";

    private final LmdbEngine engine;
    private final long mapBytes;
    private final int groupTransactions;

    @Activate
    public LmdbRecordStoreProvider(@Reference LmdbEngine engine, Config config) {
        this.engine = engine;
        mapBytes = Tuning.mapBytes(PID, config.mapSizeGiB());
        groupTransactions = Tuning.checked(PID, "groupTransactions", config.groupTransactions(), 1, 1_000);
    }

    @Override
    public RecordStore open(ProviderContext context) throws ProviderException {
        return LmdbRecordStore.open(engine, context, mapBytes, groupTransactions);
    }

    /** What an operator may set. */
    @ObjectClassDefinition(
            name = "Parley: records in LMDB",
            description = "The core's store of sealed records in an embedded LMDB.")
    @interface Config {
        @AttributeDefinition(
                name = "Map size",
                description = "GiB that the store's file may grow to, 1 to 16,384. It reserves address space, neither "
                        + "memory nor disk; lower it only where a limit on virtual memory demands it.")
        int mapSizeGiB() default 64;

        @AttributeDefinition(
                name = "Transactions of a group",
                description = "Most transactions that share one sync of the disk, 1 to 1,000.")
        int groupTransactions() default 64;
    }
}
