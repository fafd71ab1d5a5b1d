package im.parley.blobs.disk;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Fills the slot {@code blobs} with files in the directory of the instance. */
@Component(
        name = DiskBlobStoreProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=blobs")
@Designate(ocd = DiskBlobStoreProvider.Config.class, factory = true)
public final class DiskBlobStoreProvider implements Provider<BlobStore> {
    static final String PID = "im.parley.blobs.disk";
    private static final int MAX_MIB = 1 << 20;

    private final long leastFreeBytes;

    @Activate
    public DiskBlobStoreProvider(Config config) {
        if (config.leastFreeMiB() < 1 || config.leastFreeMiB() > MAX_MIB) {
            throw new IllegalArgumentException(
                    PID + " leastFreeMiB=" + config.leastFreeMiB() + " is not in 1.." + MAX_MIB);
        }
        leastFreeBytes = (long) config.leastFreeMiB() << 20;
    }

    @Override
    public BlobStore open(ProviderContext context) throws ProviderException {
        return DiskBlobStore.open(context.dataDir(), leastFreeBytes);
    }

    /** What an operator may set. */
    @ObjectClassDefinition(name = "Parley: blobs on disk", description = "The file server's blobs as files.")
    @interface Config {
        @AttributeDefinition(
                name = "Free space",
                description =
                        "MiB that uploads leave free on the disk, 1 to 1,048,576, so that everything else on it goes"
                                + " on.")
        int leastFreeMiB() default 64;
    }
}
