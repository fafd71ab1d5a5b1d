package im.parley.storage.derby;

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

/** Fills the slot {@code storage.records}: the core's sealed records in an encrypted database of their own. */
@Component(
        name = DerbyRecordStoreProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=storage.records")
@Designate(ocd = DerbyRecordStoreProvider.Config.class, factory = true)
public final class DerbyRecordStoreProvider implements Provider<RecordStore> {
    static final String PID = "im.parley.storage.derby.records";

    private final DerbyEngine engine;
    private final Tuning tuning;
    private final int groupTransactions;

    @Activate
    public DerbyRecordStoreProvider(@Reference DerbyEngine engine, Config config) {
        this.engine = engine;
        tuning = Tuning.checked(PID, config.pageCacheSize(), config.checkpointIntervalBytes());
        Tuning.checkRange(PID, "groupTransactions", config.groupTransactions(), 1, 1_000);
        groupTransactions = config.groupTransactions();
    }

    @Override
    public RecordStore open(ProviderContext context) throws ProviderException {
        return DerbyRecordStore.open(engine, context, tuning, groupTransactions);
    }

    /** What an operator may set. */
    @ObjectClassDefinition(
            name = "Parley: records in Derby",
            description = "The core's store of sealed records in an embedded, encrypted Apache Derby.")
    @interface Config {
        @AttributeDefinition(
                name = "Page cache",
                description = "Pages of 4 KiB kept in memory, 40 to 200,000. 2,000 are 8 MiB.")
        int pageCacheSize() default 2_000;

        @AttributeDefinition(
                name = "Checkpoint interval",
                description =
                        "Bytes of log written between two checkpoints, 1,048,576 to 128,000,000. More means fewer "
                                + "pauses while writing and a longer start after a crash.")
        int checkpointIntervalBytes() default 16 << 20;

        @AttributeDefinition(
                name = "Transactions of a group",
                description = "Most transactions that share one sync of the disk, 1 to 1,000.")
        int groupTransactions() default 64;
    }
}
