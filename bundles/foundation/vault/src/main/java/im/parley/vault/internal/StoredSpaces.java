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
import im.parley.vault.SpaceArchive;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.List;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.util.promise.Promise;

/** Spaces beneath {@link LeasedSpaces}: what the store holds and which keys belong to it, without opening any record. */
@Component(name = "im.parley.vault.archive", service = SpaceArchive.class)
public final class StoredSpaces implements SpaceArchive {
    /** Values have up to 1 MiB, and most have a few hundred bytes. */
    private static final int PAGE = 64;

    private static final byte[] FIRST = {0};

    private final Slot<RecordStore> slot;
    private final Secrets secrets;
    private final Users users;

    /** Those who hold sealed spaces. */
    interface Users {
        /** Returns when nobody holds any. */
        void sendAway() throws ProviderException;

        void callBack() throws ProviderException;
    }

    @Activate
    public StoredSpaces(
            BundleContext context,
            @Reference(target = "(parley.slot=storage.records)") Slot<RecordStore> slot,
            @Reference SecretsSource secrets,
            @Reference ServiceComponentRuntime components) {
        this(slot, secrets, new Components(context, components));
    }

    StoredSpaces(Slot<RecordStore> slot, SecretsSource secrets, Users users) {
        this.slot = slot;
        this.secrets = secrets.secretsFor(LeasedSpaces.INSTANCE);
        this.users = users;
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
        try (Lease<RecordStore> lease = slot.acquire()) {
            lease.get().open(id).transact(tx -> {
                reader.begin();
                byte[] from = FIRST;
                while (true) {
                    List<Space.Entry> entries = tx.range(from, null, false, PAGE);
                    for (Space.Entry entry : entries) {
                        reader.record(entry.key(), entry.value());
                    }
                    if (entries.size() < PAGE) {
                        return Boolean.TRUE;
                    }
                    byte[] last = entries.get(entries.size() - 1).key();
                    from = Arrays.copyOf(last, last.length + 1);
                }
            });
        } catch (ProviderException e) {
            throw LeasedSpaces.atBorder(e);
        }
        byte[] after = key(id);
        boolean same = Arrays.equals(before, after);
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
            inTransaction(id, tx -> {
                records.readTo(tx::put);
                return Boolean.TRUE;
            });
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
    private record Components(BundleContext context, ServiceComponentRuntime runtime) implements Users {
        @Override
        public void sendAway() throws ProviderException {
            await(runtime.disableComponent(description()));
        }

        @Override
        public void callBack() throws ProviderException {
            await(runtime.enableComponent(description()));
        }

        private ComponentDescriptionDTO description() {
            return runtime.getComponentDescriptionDTO(context.getBundle(), LeasedSpaces.NAME);
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
