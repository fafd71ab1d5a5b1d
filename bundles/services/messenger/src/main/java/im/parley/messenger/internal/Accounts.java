package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.KeyExport;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.slot.Lease;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The own identities of a circle and their inbox relays. Thread-safe; blocks on disk. */
final class Accounts {
    private static final int MAX_RELAYS = 3;

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Work work;
    private final Directory directory;
    private final RelayLists lists;
    private final Supplier<@Nullable URI> ownRelay;
    private final Predicate<PublicKey> locked;
    /** Told after identities or relays changed. */
    private final Runnable changed;

    private final KeyOwners keys;
    /** Serialises what makes keys or changes relays, which touch more than the records. */
    private final Object changing = new Object();

    /** @param ownRelay the first address of this node's relay; null if it runs none */
    Accounts(
            Scope scope,
            SealedSpace space,
            Services services,
            Work work,
            Directory directory,
            RelayLists lists,
            Supplier<@Nullable URI> ownRelay,
            Predicate<PublicKey> locked,
            Runnable changed,
            KeyOwners keys) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.work = work;
        this.directory = directory;
        this.lists = lists;
        this.ownRelay = ownRelay;
        this.locked = locked;
        this.changed = changed;
        this.keys = keys;
    }

    /** Asks the provider for a key: to make it, to take it, or only whose it is. */
    @FunctionalInterface
    private interface KeySource {
        PublicKey of(IdentityProvider identities) throws ProviderException;
    }

    Messenger.Account create(String wanted, char @Nullable [] passphrase) throws ProviderException {
        return add(wanted, null, identities -> identities.create(passphrase));
    }

    Messenger.Account imported(String wanted, char[] key, char @Nullable [] password, char @Nullable [] passphrase)
            throws ProviderException {
        byte[] secretKey = SealedKeys.open(key, password);
        try {
            return add(
                    wanted,
                    identities -> identities.identify(secretKey),
                    identities -> identities.importKey(secretKey, passphrase));
        } finally {
            Arrays.fill(secretKey, (byte) 0);
        }
    }

    Messenger.Account adopted(String wanted, PublicKey pubkey) throws ProviderException {
        return add(wanted, identities -> pubkey, identities -> pubkey);
    }

    String exportKey(@Nullable String wanted, char[] password) throws ProviderException {
        SealedKeys.checkPassword(password);
        Account account = space.transact(tx -> pick(tx, wanted));
        try (Lease<IdentityProvider> lease = services.identity().acquire()) {
            if (!(lease.get() instanceof KeyExport export)) {
                throw new ProviderException(
                        Kind.UNSUPPORTED,
                        "identity.no-export",
                        "What holds the key of " + account.name() + " does not give it away.");
            }
            return export.exportKey(account.pubkey(), password);
        }
    }

    /** @param whose tells the key before anything is kept: a refusal must change nothing; null if it is a new one */
    private Messenger.Account add(String wanted, @Nullable KeySource whose, KeySource key) throws ProviderException {
        String name = Names.checked(wanted, "identity.bad-name");
        synchronized (keys) {
            return addWithin(name, whose, key);
        }
    }

    private Messenger.Account addWithin(String name, @Nullable KeySource whose, KeySource key)
            throws ProviderException {
        synchronized (changing) {
            PublicKey pubkey;
            try (Lease<IdentityProvider> lease = services.identity().acquire()) {
                PublicKey expected = whose == null ? null : whose.of(lease.get());
                space.transact(tx -> {
                    free(tx, name);
                    if (expected != null) {
                        unknown(tx, expected);
                    }
                    return true;
                });
                keys.check(scope, expected);
                pubkey = key.of(lease.get());
            }
            byte[] device = new byte[8];
            services.random().nextBytes(device);
            long now = services.clock().millis();
            Account account = space.transact(tx -> {
                free(tx, name);
                unknown(tx, pubkey);
                Account made = new Account(
                        Book.next(tx, "accounts"),
                        name,
                        pubkey,
                        inboxes(Definition.of(tx)),
                        now,
                        HexFormat.of().formatHex(device));
                Book.put(tx, made);
                Chats.begin(tx);
                RelayLists.changed(tx, made, now / 1000);
                return made;
            });
            for (Account.Inbox inbox : account.inboxes()) {
                if (inbox.named()) {
                    services.egress().allow(scope, inbox.relay());
                }
            }
            changed.run();
            return shown(account);
        }
    }

    /** Those of the circle; without any, this node's own relay. */
    private List<Account.Inbox> inboxes(Definition circle) {
        URI own = ownRelay.get();
        if (circle.relays().isEmpty()) {
            return own == null ? List.of() : List.of(Account.Inbox.own(own));
        }
        return circle.relays().stream()
                .map(inbox -> inbox.relay().equals(own) ? Account.Inbox.own(inbox.relay()) : inbox)
                .toList();
    }

    private static void unknown(Tx tx, PublicKey pubkey) throws ProviderException {
        for (Account other : Book.accounts(tx)) {
            if (other.pubkey().equals(pubkey)) {
                throw Rejected.of(
                        "identity.known",
                        "This key is the identity " + other.name() + " already. Use it by that name.");
            }
        }
    }

    private static void free(Tx tx, String name) throws ProviderException {
        for (Account other : Book.accounts(tx)) {
            if (other.name().equals(name)) {
                throw Rejected.of(
                        "identity.name-taken", "An identity of this name exists in this circle. Choose another name.");
            }
        }
    }

    /** @param wanted name or npub; null if there is only one */
    Messenger.Account one(@Nullable String wanted) throws ProviderException {
        return shown(space.transact(tx -> pick(tx, wanted)));
    }

    List<Messenger.Account> all() throws ProviderException {
        List<Messenger.Account> shown = new ArrayList<>();
        for (Account account : space.transact(Book::accounts)) {
            shown.add(shown(account));
        }
        return shown;
    }

    Messenger.Account unlock(@Nullable String wanted, char[] passphrase) throws ProviderException {
        Account account = space.transact(tx -> pick(tx, wanted));
        try (Lease<IdentityProvider> lease = services.identity().acquire()) {
            lease.get().unlock(account.pubkey(), passphrase);
        }
        changed.run();
        return shown(account);
    }

    private Messenger.Account shown(Account account) {
        List<String> relays = account.relays().stream().map(URI::toString).toList();
        return new Messenger.Account(
                account.name(),
                account.pubkey(),
                Nip19.npub(account.pubkey()),
                Nip19.nprofile(account.pubkey(), relays),
                account.relays(),
                locked.test(account.pubkey()));
    }

    /** @param wanted name or npub; null if there is only one */
    static Account pick(Tx tx, @Nullable String wanted) throws ProviderException {
        List<Account> accounts = Book.accounts(tx);
        if (accounts.isEmpty()) {
            throw Rejected.of("account.none", "There is no identity in this circle yet. Make one first.");
        }
        if (wanted == null) {
            if (accounts.size() > 1) {
                throw Rejected.of(
                        "account.ambiguous", "There are several identities in this circle. Say which one is meant.");
            }
            return accounts.get(0);
        }
        String name = Normalizer.normalize(wanted, Normalizer.Form.NFC);
        for (Account account : accounts) {
            if (account.name().equals(name) || Nip19.npub(account.pubkey()).equals(wanted)) {
                return account;
            }
        }
        throw Rejected.of(
                "account.unknown", "There is no identity of this name in this circle. List them to see the names.");
    }

    // ---- relays ----

    List<Messenger.Account> addRelay(@Nullable String wanted, String text) throws ProviderException {
        URI relay = relay(text);
        return changeRelays(wanted, account -> {
            List<Account.Inbox> inboxes = new ArrayList<>(account.inboxes());
            inboxes.removeIf(inbox -> inbox.relay().equals(relay) && !inbox.named());
            if (inboxes.stream().noneMatch(inbox -> inbox.relay().equals(relay))) {
                inboxes.add(Account.Inbox.named(relay));
            }
            if (inboxes.size() > MAX_RELAYS) {
                throw Rejected.of(
                        "relay.too-many",
                        "An identity has at most " + MAX_RELAYS + " inbox relays. Remove one before adding another.");
            }
            return account.with(inboxes);
        });
    }

    List<Messenger.Account> removeRelay(@Nullable String wanted, String text) throws ProviderException {
        URI relay = relay(text);
        return changeRelays(wanted, account -> {
            List<Account.Inbox> inboxes = new ArrayList<>(account.inboxes());
            inboxes.removeIf(inbox -> inbox.relay().equals(relay));
            return account.with(inboxes);
        });
    }

    @FunctionalInterface
    private interface Change {
        Account apply(Account account) throws ProviderException;
    }

    private List<Messenger.Account> changeRelays(@Nullable String wanted, Change change) throws ProviderException {
        synchronized (changing) {
            long now = services.clock().instant().getEpochSecond();
            record Changed(List<Account> accounts, List<Account> touched, Set<URI> before, Set<URI> after) {}
            Changed after = space.transact(tx -> {
                List<Account> accounts = wanted == null ? Book.accounts(tx) : List.of(pick(tx, wanted));
                if (accounts.isEmpty()) {
                    pick(tx, null);
                }
                Set<URI> before = named(Book.accounts(tx));
                List<Account> results = new ArrayList<>();
                List<Account> touched = new ArrayList<>();
                for (Account account : accounts) {
                    Account result = change.apply(account);
                    results.add(result);
                    if (!result.equals(account)) {
                        Book.put(tx, result);
                        if (!result.relays().equals(account.relays())) {
                            RelayLists.changed(tx, result, now);
                        }
                        touched.add(result);
                    }
                }
                return new Changed(results, touched, before, named(Book.accounts(tx)));
            });
            for (URI relay : after.after()) {
                if (!after.before().contains(relay)) {
                    services.egress().allow(scope, relay);
                }
            }
            for (URI relay : after.before()) {
                if (!after.after().contains(relay)) {
                    services.egress().withdraw(scope, relay);
                }
            }
            directory.forgetFailures();
            changed.run();
            for (Account account : after.touched()) {
                work.inOrder(() -> lists.hurry(account.pubkey()));
            }
            services.outbox().hurry(scope);
            List<Messenger.Account> shown = new ArrayList<>();
            for (Account account : after.accounts()) {
                shown.add(shown(account));
            }
            return shown;
        }
    }

    private static Set<URI> named(List<Account> accounts) {
        Set<URI> named = new HashSet<>();
        for (Account account : accounts) {
            for (Account.Inbox inbox : account.inboxes()) {
                if (inbox.named()) {
                    named.add(inbox.relay());
                }
            }
        }
        return named;
    }

    private static URI relay(String text) throws ProviderException {
        try {
            return RelayUrls.normalise(text.strip());
        } catch (ProtocolException e) {
            throw Rejected.of("relay.bad-url", "This is no relay address: " + e.getMessage() + ".");
        }
    }
}
