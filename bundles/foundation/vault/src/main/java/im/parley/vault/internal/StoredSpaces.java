package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Lease;
import im.parley.slot.SecretsSource;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpaces;
import im.parley.vault.SpaceArchive;
import java.lang.reflect.InvocationTargetException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.util.promise.Promise;

/** Spaces beneath {@link LeasedSpaces}: what the store holds and which keys belong to it, without opening any record. */
@Component(name = "im.parley.vault.archive", service = SpaceArchive.class)
public final class StoredSpaces implements SpaceArchive {
    private static final byte[] FIRST = {0};

    private final Slot<RecordStore> slot;
    private final SecretsSource source;
    private final BucketFiles files;
    private final SecureRandom random;
    private final Secrets secrets;
    private final Users users;
    private volatile @Nullable LeasedSpaces live;

    /** Those who hold sealed spaces. */
    interface Users {
        /** Returns when nobody holds any. */
        void sendAway() throws ProviderException;

        void callBack() throws ProviderException;
    }

    @Activate
    public StoredSpaces(
            @Reference(target = "(parley.slot=storage.records)") Slot<RecordStore> slot,
            @Reference SecretsSource secrets,
            @Reference BucketFiles files,
            @Reference SecureRandom random,
            @Reference ServiceComponentRuntime components) {
        this(slot, secrets, files, random, new Components(components));
    }

    StoredSpaces(Slot<RecordStore> slot, SecretsSource source, BucketFiles files, SecureRandom random, Users users) {
        this.slot = slot;
        this.source = source;
        this.files = files;
        this.random = random;
        this.secrets = source.secretsFor(LeasedSpaces.INSTANCE);
        this.users = users;
    }

    /** Reads go through those spaces that everybody uses: one alone may look into the secrets of buckets. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void use(SealedSpaces spaces) {
        live = spaces instanceof LeasedSpaces leased ? leased : null;
    }

    void unuse(SealedSpaces spaces) {
        if (live == spaces) {
            live = null;
        }
    }

    @Override
    public List<SpaceId> spaces() throws ProviderException {
        try (Lease<RecordStore> lease = slot.acquire()) {
            List<String> names = secrets.names();
            return lease.get().spaces().stream()
                    .filter(id -> !names.contains(LeasedSpaces.markName(id)))
                    .toList();
        } catch (ProviderException e) {
            throw LeasedSpaces.atBorder(e);
        }
    }

    @Override
    public byte[] read(SpaceId id, Reader reader) throws ProviderException {
        byte[] before = key(id);
        LeasedSpaces spaces = live;
        if (before.length == 0) {
            reader.begin();
            return before;
        }
        if (spaces == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "vault.no-spaces", "The spaces are not there at the moment. Try again.");
        }
        spaces.readTo(id, reader);
        byte[] after = key(id);
        boolean same = MessageDigest.isEqual(before, after);
        Arrays.fill(after, (byte) 0);
        if (same) {
            return before;
        }
        Arrays.fill(before, (byte) 0);
        if (after.length > 0) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "store.space-replaced",
                    "The space " + id.value() + " was destroyed and made anew while it was read. Try again.");
        }
        return after;
    }

    private byte[] key(SpaceId id) throws ProviderException {
        String name = LeasedSpaces.keyName(id);
        return secrets.names().contains(name) ? secrets.read(name) : new byte[0];
    }

    @Override
    public void replace(Replacement work) throws ProviderException {
        users.sendAway();
        try {
            work.run(new StoredTarget());
        } finally {
            users.callBack();
        }
    }

    private final class StoredTarget implements Target {
        @Override
        public boolean isEmpty(SpaceId id) throws ProviderException {
            return inTransaction(id, tx -> tx.range(FIRST, null, false, 1).isEmpty());
        }

        @Override
        public void clear(SpaceId id) throws ProviderException {
            secrets.delete(LeasedSpaces.keyName(id));
            SlotFile secretsOfBuckets = files.file(id);
            PrivateFiles.run("destroy the secrets of buckets", secretsOfBuckets::erase);
            try (Lease<RecordStore> lease = slot.acquire()) {
                lease.get().destroy(id);
            } catch (ProviderException e) {
                throw LeasedSpaces.atBorder(e);
            }
            secrets.delete(LeasedSpaces.markName(id));
        }

        @Override
        public void fill(SpaceId id, byte[] key, Source records) throws ProviderException {
            if (!isEmpty(id)) {
                throw new IllegalStateException("the space " + id.value() + " is not empty");
            }
            if (key.length != SpaceKeys.KEY) {
                throw VaultKeys.tampered("The key of a space has a wrong length; restore another backup.");
            }
            // The key first: records without a key are a fault, a key without records is a new space.
            secrets.write(LeasedSpaces.keyName(id), key, null);
            LeasedSpaces alone = new LeasedSpaces(slot, source, files, random);
            try {
                alone.fill(id, records);
            } finally {
                alone.deactivate();
            }
        }

        private boolean inTransaction(SpaceId id, Space.Work<Boolean> work) throws ProviderException {
            try (Lease<RecordStore> lease = slot.acquire()) {
                return lease.get().open(id).transact(work);
            } catch (ProviderException e) {
                throw LeasedSpaces.atBorder(e);
            }
        }
    }

    /** Everybody who holds sealed spaces got them from one component; without it they are gone, with it they start anew. */
    private record Components(ServiceComponentRuntime runtime) implements Users {
        @Override
        public void sendAway() throws ProviderException {
            await(runtime.disableComponent(description()));
        }

        @Override
        public void callBack() throws ProviderException {
            await(runtime.enableComponent(description()));
        }

        private ComponentDescriptionDTO description() throws ProviderException {
            return runtime.getComponentDescriptionDTOs().stream()
                    .filter(description -> description.name.equals(LeasedSpaces.NAME))
                    .findFirst()
                    .orElseThrow(() -> new ProviderException(
                            Kind.INTERNAL, "vault.spaces-stuck", "There is no component " + LeasedSpaces.NAME + "."));
        }

        private static void await(Promise<Void> done) throws ProviderException {
            try {
                done.getValue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ProviderException(
                        Kind.UNAVAILABLE, "vault.interrupted", "The node was stopped meanwhile. Try again.");
            } catch (InvocationTargetException e) {
                throw new ProviderException(
                        Kind.INTERNAL, "vault.spaces-stuck", "The users of the spaces did not go or come: " + e);
            }
        }
    }
}
