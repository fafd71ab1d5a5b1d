package im.parley.itests.container;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.messenger.Circles;
import im.parley.messenger.Messenger;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.Ledger;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpaces;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import javax.inject.Inject;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.service.cm.ConfigurationAdmin;

/** The whole container under Pax Exam: what runs is the distribution, every part is up, and two people can talk in it. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ContainerIT {

    @Inject
    private BundleContext context;

    @Inject
    private ConfigurationAdmin configurationAdmin;

    @Configuration
    public Option[] distribution() throws Exception {
        DistributionOptions options = DistributionOptions.fresh();
        PlanFile.write(options.plan());
        return options.options();
    }

    @Before
    public void configure() throws Exception {
        if (configurationAdmin.listConfigurations("(service.pid=im.parley.slot.host)") == null) {
            DistributionOptions.apply(PlanFile.configurations(), configurationAdmin);
        }
        await(
                "all slots are there and filled",
                () -> slots().size() == 11 && slots().stream().allMatch(Slot.Status::filled));
        await("the messenger is there", () -> context.getServiceReference(Messenger.class) != null);
    }

    @Test
    public void theBundlesAreTheDistributions() throws Exception {
        Set<String> running = new TreeSet<>();
        for (Bundle bundle : context.getBundles()) {
            String name = bundle.getSymbolicName();
            boolean ofTheTest = bundle.getBundleId() == 0
                    || name.startsWith("org.ops4j.")
                    || name.startsWith("PAXEXAM")
                    || name.contains("hamcrest")
                    || name.contains("junit")
                    || name.contains("jakarta.inject");
            if (!ofTheTest) {
                running.add(name);
                assertEquals(name + " is active", Bundle.ACTIVE, bundle.getState());
            }
        }
        assertEquals(new TreeSet<>(PlanFile.bundles()), running);
    }

    @Test
    public void everySlotIsFilledByItsConfiguredInstance() {
        Map<String, String> filled = new TreeMap<>();
        slots().forEach(status -> filled.put(status.slot(), status.instance()));
        assertEquals(
                Map.ofEntries(
                        Map.entry("blobs", "im.parley.blobs.disk~main"),
                        Map.entry("curve", "im.parley.curve.secp256k1~main"),
                        Map.entry("fileserver", "im.parley.fileserver.blossom~main"),
                        Map.entry("identity", "im.parley.identity.local~main"),
                        Map.entry("identity.remote", "im.parley.identity.remote~main"),
                        Map.entry("policy.limits", "im.parley.policy.limits~main"),
                        Map.entry("scheme", "im.parley.scheme.nip17~main"),
                        Map.entry("storage.events", "im.parley.storage.derby.events~main"),
                        Map.entry("storage.records", "im.parley.storage.derby.records~main"),
                        Map.entry("transport", "im.parley.transport.websocket~main"),
                        Map.entry("transport.local", "im.parley.transport.local~main")),
                filled);
    }

    /** LMDB is there to be selected; until then neither its library nor a file of it is touched. */
    @Test
    public void aStoreThatIsNotSelectedIsNotLoaded() throws Exception {
        for (String candidate : List.of("im.parley.storage.lmdb.events~main", "im.parley.storage.lmdb.records~main")) {
            Collection<ServiceReference<?>> offered = Arrays.asList(context.getAllServiceReferences(
                    "im.parley.api.lifecycle.Provider", "(service.pid=" + candidate + ")"));
            assertEquals(candidate + " is offered", 1, offered.size());
        }
        String mapped = Files.readString(Path.of("/proc/self/maps"));
        assertTrue("the libraries of this process were not read", mapped.contains("libjvm"));
        assertFalse("the library of LMDB is loaded", mapped.contains("lwjgl"));
    }

    @Test
    public void twoPeopleTalkInsideTheContainer() throws Exception {
        Messenger messenger = context.getService(context.getServiceReference(Messenger.class));
        Ledger ledger = context.getService(context.getServiceReference(Ledger.class));
        messenger.createAccount(Scope.DEFAULT, "alice", null);
        messenger.createAccount(Scope.DEFAULT, "bob", null);
        messenger.send(Scope.DEFAULT, "alice", "bob", "hello from the container");
        messenger.send(Scope.DEFAULT, "bob", "alice", "नमस्ते");
        await(
                "both arrive",
                () -> texts(messenger, "bob").contains("hello from the container")
                        && texts(messenger, "alice").contains("नमस्ते"));
        await("both are at the relay", () -> {
            Ledger.Totals totals = totals(ledger);
            return totals.exact()
                    && totals.byState().get(Ledger.State.AT_RELAYS)
                                    + totals.byState().get(Ledger.State.DELIVERED)
                            == 2;
        });
    }

    /** Whoever has a copy of the store from before, and the node's keys of today, reads nothing. */
    @Test
    public void whatIsKeptOfADeletedCircleOpensNoMore() throws Exception {
        Messenger messenger = context.getService(context.getServiceReference(Messenger.class));
        Circles circles = context.getService(context.getServiceReference(Circles.class));
        SealedSpaces sealed = context.getService(context.getServiceReference(SealedSpaces.class));
        Scope scope = circles.create(new Circles.Draft("Passing", "", List.of(), List.of(), 0))
                .scope();
        PublicKey self = messenger.createAccount(scope, "self", null).pubkey();
        messenger.createAccount(scope, "other", null);
        messenger.send(scope, "self", "other", "soon nobody reads this");
        SpaceId id = CircleRecords.space(scope);
        Slot<RecordStore> records = slot("storage.records");
        Slot<IdentityProvider> identity = slot("identity");
        List<Space.Entry> copy;
        try (Lease<RecordStore> store = records.acquire();
                Lease<IdentityProvider> keys = identity.acquire()) {
            copy = store.get().open(id).transact(tx -> tx.range(new byte[] {0}, null, false, 1_000));
            assertTrue("there is something to lose: " + copy.size(), copy.size() > 10);
            assertTrue(keys.get().list().contains(self));
        }
        circles.delete("Passing");
        try (Lease<RecordStore> store = records.acquire();
                Lease<IdentityProvider> keys = identity.acquire()) {
            assertFalse(store.get().spaces().contains(id));
            assertFalse(keys.get().list().contains(self));
            store.get().open(id).transact(tx -> {
                for (Space.Entry entry : copy) {
                    tx.put(entry.key(), entry.value());
                }
                return true;
            });
            ProviderException refused = assertThrows(
                    ProviderException.class, () -> sealed.open(id).get(RecordKey.of(CircleRecords.DEFINITION, "")));
            assertEquals("store.key-missing", refused.code());
            store.get().destroy(id);
        }
    }

    @SuppressWarnings("unchecked")
    private <T> Slot<T> slot(String name) throws Exception {
        ServiceReference<?>[] references =
                context.getServiceReferences(Slot.class.getName(), "(parley.slot=" + name + ")");
        return (Slot<T>) context.getService(references[0]);
    }

    private static Ledger.Totals totals(Ledger ledger) {
        try {
            return ledger.totals(Scope.DEFAULT);
        } catch (im.parley.api.lifecycle.ProviderException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> texts(Messenger messenger, String account) {
        try {
            return messenger.messages(Scope.DEFAULT, account, 0, 100).stream()
                    .filter(message -> !message.outgoing())
                    .map(Messenger.Message::text)
                    .toList();
        } catch (im.parley.api.lifecycle.ProviderException e) {
            throw new AssertionError(e);
        }
    }

    private Collection<Slot.Status> slots() {
        try {
            ServiceReference<?>[] references = context.getServiceReferences(Slot.class.getName(), null);
            List<Slot.Status> found = new ArrayList<>();
            if (references != null) {
                Arrays.stream(references).forEach(r -> found.add(((Slot<?>) context.getService(r)).status()));
            }
            return found;
        } catch (org.osgi.framework.InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue("not within a minute: " + what, System.nanoTime() < deadline);
            LockSupport.parkNanos(50_000_000);
        }
    }
}
