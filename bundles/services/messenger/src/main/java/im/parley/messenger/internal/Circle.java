package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.KeyExport;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.api.transport.RelayEndpoint;
import im.parley.messenger.Messenger;
import im.parley.messenger.Messenger.Contact;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.Ledger;
import im.parley.outbox.Outbox.Attachment;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.Outbox.Stepped;
import im.parley.outbox.OutboxHost;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Kinds;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.slot.Lease;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One circle: its accounts, contacts, conversations and messages, and what keeps them moving. Thread-safe. */
final class Circle implements OutboxHost {
    private static final Logger LOG = LoggerFactory.getLogger(Circle.class);
    private static final int MAX_RELAYS = 3;
    private static final Duration LOCK_POLL = Duration.ofSeconds(1);
    private static final Duration STORE_RETRY = Duration.ofSeconds(1);
    private static final Duration CONTACT_PATIENCE = Duration.ofSeconds(10);
    /** A larger rumor would make a seal that some peers cannot read: 65,535 bytes, after padding and base64. */
    private static final int MAX_RUMOR_BYTES = 40_960;

    private static final int WIPED_AT_ONCE = 100;
    private static final int ID_LENGTH = 64;
    private static final int LEAST_OF_ID = 4;
    /** Messages among which one is found by the beginning of its id. */
    private static final int NEWEST = 1_000;

    private final Scope scope;
    private final Services services;
    private final Work work;
    private final LongSupplier nanoTime;
    private final SealedSpace space;
    private final Directory directory;
    private final RelayLists lists;
    private final Inboxes inboxes;
    private final Announcer announcer;
    private final Attachment attachment;
    private final Map<PublicKey, Intake> intakes = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> drops = new ConcurrentHashMap<>();
    /** Serialises what makes keys or changes relays, which touch more than the records. */
    private final Object changing = new Object();

    /** Whether messages came whose deadline was not looked at. */
    private volatile boolean deadlinesChanged = true;

    // Confined to the loop.
    private Set<PublicKey> unlocked = new HashSet<>();
    /** As last read; null if it may have changed. */
    private @Nullable List<Account> current;

    private long nextDeadline;

    private boolean begun;
    private boolean troubled;

    Circle(Scope scope, Services services, Work work, LongSupplier nanoTime) {
        this.scope = scope;
        this.services = services;
        this.work = work;
        this.nanoTime = nanoTime;
        space = services.spaces().open(CircleRecords.space(scope));
        directory = new Directory(
                scope, space, services, work, () -> services.outbox().hurry(scope));
        lists = new RelayLists(scope, space, services, work);
        inboxes = new Inboxes(scope, space, services, work, this::intake);
        announcer = new Announcer(work, new Announcer.Reader() {
            @Override
            public long newest() throws ProviderException {
                return space.transact(Book::position);
            }

            @Override
            public List<Message> after(long position, int limit) throws ProviderException {
                return messages(null, position, limit);
            }
        });
        attachment = services.outbox().attach(scope, this);
        work.inOrder(this::look);
    }

    void close() {
        attachment.close();
        work.close();
        inboxes.closeAll();
    }

    // ---- what keeps it moving ----

    /** Looks at accounts and locks, and opens or closes what follows from them. Runs on the loop, then again and again. */
    private void look() {
        try {
            refresh();
            if (troubled) {
                troubled = false;
                LOG.info("Circle {} has its records again.", scope.circle());
            }
            work.later(LOCK_POLL, this::look);
        } catch (ProviderException e) {
            if (!troubled) {
                troubled = true;
                LOG.warn("Circle {} waits for its records ({}): {}", scope.circle(), e.code(), e.getMessage());
            }
            work.later(STORE_RETRY, this::look);
        }
    }

    private void refresh() throws ProviderException {
        if (!begun) {
            moveOwnRelay();
        }
        List<Account> accounts = current;
        if (accounts == null) {
            accounts = space.transact(Book::accounts);
            current = accounts;
        }
        if (!begun) {
            // The egress forgets what the user named when the node stops.
            for (Account account : accounts) {
                account.inboxes().stream()
                        .filter(Account.Inbox::named)
                        .forEach(inbox -> services.egress().allow(scope, inbox.relay()));
            }
            begun = true;
        }
        List<Account> open = new ArrayList<>();
        Set<PublicKey> now = new HashSet<>();
        for (Account account : accounts) {
            if (!locked(account.pubkey())) {
                open.add(account);
                now.add(account.pubkey());
            }
        }
        wipe(accounts);
        Set<PublicKey> before = unlocked;
        unlocked = now;
        inboxes.keep(open);
        for (Account account : open) {
            if (!before.contains(account.pubkey())) {
                lists.hurry(account.pubkey());
            }
        }
    }

    /** Takes away what has had its time, also what had it while the node was off; looks only when there may be some. */
    private void wipe(List<Account> accounts) throws ProviderException {
        long now = services.clock().instant().getEpochSecond();
        if (!deadlinesChanged && now < nextDeadline) {
            return;
        }
        deadlinesChanged = false;
        long next = Long.MAX_VALUE;
        try {
            for (Account account : accounts) {
                wipe(account.pubkey(), now);
                next = Math.min(next, space.transact(tx -> Book.nextExpiry(tx, account.pubkey())));
            }
        } catch (ProviderException e) {
            deadlinesChanged = true;
            throw e;
        }
        nextDeadline = next;
    }

    private void wipe(PublicKey account, long now) throws ProviderException {
        int wiped;
        do {
            wiped = space.transact(tx -> {
                List<Line> over = Book.over(tx, account, now, WIPED_AT_ONCE);
                for (Line line : over) {
                    Marks.wipe(tx, account, line);
                }
                return over.size();
            });
        } while (wiped == WIPED_AT_ONCE);
    }

    /** This node's relay may listen elsewhere than when the accounts were made. */
    private void moveOwnRelay() throws ProviderException {
        URI own = ownRelay();
        if (own == null) {
            return;
        }
        long now = services.clock().instant().getEpochSecond();
        space.transact(tx -> {
            for (Account account : Book.accounts(tx)) {
                List<Account.Inbox> moved = new ArrayList<>();
                for (Account.Inbox inbox : account.inboxes()) {
                    Account.Inbox there = inbox.named() ? inbox : new Account.Inbox(own, false);
                    if (moved.stream().noneMatch(other -> other.relay().equals(there.relay()))) {
                        moved.add(there);
                    }
                }
                if (!moved.equals(account.inboxes())) {
                    Account changed = account.with(moved);
                    Book.put(tx, changed);
                    RelayLists.changed(tx, changed, now);
                }
            }
            return true;
        });
    }

    /** The first address of this node's relay; null if it runs none. */
    private @Nullable URI ownRelay() {
        RelayEndpoint own = services.ownRelay();
        if (own == null || own.urls().isEmpty()) {
            return null;
        }
        URI url = own.urls().iterator().next();
        try {
            return RelayUrls.normalise(url.toString());
        } catch (ProtocolException e) {
            LOG.warn("This node's own relay has an address no client can use; new identities begin without a relay.");
            return null;
        }
    }

    private boolean locked(PublicKey identity) {
        try (Lease<IdentityProvider> lease = services.identity().acquire()) {
            return lease.get().locked(identity);
        } catch (ProviderException e) {
            return true;
        }
    }

    private void soon() {
        work.inOrder(() -> {
            current = null;
            try {
                refresh();
            } catch (ProviderException e) {
                LOG.debug("looked at again soon: {}", e.code());
            }
        });
    }

    private Intake intake(Account account) {
        return intakes.computeIfAbsent(
                account.pubkey(),
                unused -> new Intake(scope, account, space, services, work, nanoTime, this::dropped, this::shown));
    }

    /** Messages became visible. */
    private void shown() {
        deadlinesChanged = true;
        announcer.wake();
    }

    private void dropped(String code) {
        drops.computeIfAbsent(code, unused -> new LongAdder()).increment();
    }

    Map<String, Long> drops() {
        Map<String, Long> counts = new HashMap<>();
        drops.forEach((code, count) -> counts.put(code, count.sum()));
        return counts;
    }

    // ---- what the outbox asks ----

    @Override
    public CompletionStage<List<URI>> relaysOf(PublicKey sender, PublicKey recipient) {
        return directory.relaysOf(recipient);
    }

    @Override
    public boolean named(PublicKey sender, URI relay) {
        try {
            return space.transact(Book::accounts).stream()
                    .anyMatch(account ->
                            account.pubkey().equals(sender) && account.relays().contains(relay));
        } catch (ProviderException e) {
            LOG.debug("a relay counts as a stranger's for now: {}", e.code());
            return false;
        }
    }

    @Override
    public void deliver(Tx tx, Conversation conversation, Effect.Deliver deliver) throws ProviderException {
        for (Account account : Book.accounts(tx)) {
            if (account.pubkey().equals(conversation.self())) {
                intake(account).deliver(tx, deliver, "", services.clock().millis());
            }
        }
    }

    @Override
    public void changed(Set<String> messageIds) {
        shown();
    }

    // ---- accounts ----

    /** Asks the provider for a key: to make it, to take it, or only whose it is. */
    @FunctionalInterface
    private interface KeySource {
        PublicKey of(IdentityProvider identities) throws ProviderException;
    }

    Messenger.Account createAccount(String wanted, char @Nullable [] passphrase) throws ProviderException {
        return addAccount(wanted, null, identities -> identities.create(passphrase));
    }

    Messenger.Account importAccount(String wanted, char[] key, char @Nullable [] password, char @Nullable [] passphrase)
            throws ProviderException {
        byte[] secretKey = SealedKeys.open(key, password);
        try {
            return addAccount(
                    wanted,
                    identities -> identities.identify(secretKey),
                    identities -> identities.importKey(secretKey, passphrase));
        } finally {
            Arrays.fill(secretKey, (byte) 0);
        }
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
    private Messenger.Account addAccount(String wanted, @Nullable KeySource whose, KeySource key)
            throws ProviderException {
        String name = Names.checked(wanted, "identity.bad-name");
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
                pubkey = key.of(lease.get());
            }
            URI own = ownRelay();
            List<Account.Inbox> inboxes = own == null ? List.of() : List.of(new Account.Inbox(own, false));
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
                        inboxes,
                        now,
                        HexFormat.of().formatHex(device));
                Book.put(tx, made);
                RelayLists.changed(tx, made, now / 1000);
                return made;
            });
            soon();
            return shown(account);
        }
    }

    private static void unknown(Tx tx, PublicKey pubkey) throws ProviderException {
        for (Account other : Book.accounts(tx)) {
            if (other.pubkey().equals(pubkey)) {
                throw rejected(
                        "identity.known",
                        "This key is the identity " + other.name() + " already. Use it by that name.");
            }
        }
    }

    private static void free(Tx tx, String name) throws ProviderException {
        for (Account other : Book.accounts(tx)) {
            if (other.name().equals(name)) {
                throw rejected(
                        "identity.name-taken", "An identity of this name exists in this circle. Choose another name.");
            }
        }
    }

    List<Messenger.Account> accounts() throws ProviderException {
        List<Messenger.Account> shown = new ArrayList<>();
        for (Account account : space.transact(Book::accounts)) {
            shown.add(shown(account));
        }
        return shown;
    }

    Messenger.Account unlockAccount(@Nullable String wanted, char[] passphrase) throws ProviderException {
        Account account = space.transact(tx -> pick(tx, wanted));
        try (Lease<IdentityProvider> lease = services.identity().acquire()) {
            lease.get().unlock(account.pubkey(), passphrase);
        }
        soon();
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
                locked(account.pubkey()));
    }

    /** @param wanted name or npub; null if there is only one */
    private static Account pick(Tx tx, @Nullable String wanted) throws ProviderException {
        List<Account> accounts = Book.accounts(tx);
        if (accounts.isEmpty()) {
            throw rejected("account.none", "There is no identity in this circle yet. Make one first.");
        }
        if (wanted == null) {
            if (accounts.size() > 1) {
                throw rejected(
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
        throw rejected(
                "account.unknown", "There is no identity of this name in this circle. List them to see the names.");
    }

    // ---- relays ----

    List<Messenger.Account> addRelay(@Nullable String wanted, String text) throws ProviderException {
        URI relay = relay(text);
        return changeRelays(wanted, account -> {
            List<Account.Inbox> inboxes = new ArrayList<>(account.inboxes());
            inboxes.removeIf(inbox -> inbox.relay().equals(relay) && !inbox.named());
            if (inboxes.stream().noneMatch(inbox -> inbox.relay().equals(relay))) {
                inboxes.add(new Account.Inbox(relay, true));
            }
            if (inboxes.size() > MAX_RELAYS) {
                throw rejected(
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
            Changed changed = space.transact(tx -> {
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
            for (URI relay : changed.after()) {
                if (!changed.before().contains(relay)) {
                    services.egress().allow(scope, relay);
                }
            }
            for (URI relay : changed.before()) {
                if (!changed.after().contains(relay)) {
                    services.egress().withdraw(scope, relay);
                }
            }
            directory.forgetFailures();
            soon();
            for (Account account : changed.touched()) {
                work.inOrder(() -> lists.hurry(account.pubkey()));
            }
            services.outbox().hurry(scope);
            List<Messenger.Account> shown = new ArrayList<>();
            for (Account account : changed.accounts()) {
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
            throw rejected("relay.bad-url", "This is no relay address: " + e.getMessage() + ".");
        }
    }

    // ---- contacts ----

    Contact addContact(@Nullable String wanted, String wantedName, String address) throws ProviderException {
        String name = Names.checked(wantedName, "contact.bad-name");
        Address to = address(address);
        if (to == null) {
            throw rejected("contact.bad-address", "This is no npub or nprofile. Ask your contact for hers.");
        }
        space.transact(tx -> {
            Account account = pick(tx, wanted);
            Book.Contact same = null;
            for (Book.Contact other : Book.contacts(tx, account.pubkey())) {
                if (other.pubkey().equals(to.pubkey())) {
                    same = other;
                } else if (other.name().equals(name)) {
                    throw nameTaken();
                }
            }
            for (Account own : Book.accounts(tx)) {
                if (own.name().equals(name) && !own.pubkey().equals(to.pubkey())) {
                    throw nameTaken();
                }
            }
            long number = same == null ? Book.next(tx, "contacts") : same.number();
            Book.put(tx, account.pubkey(), new Book.Contact(number, name, to.pubkey()));
            hint(tx, to);
            return true;
        });
        try {
            directory
                    .refresh(to.pubkey())
                    .toCompletableFuture()
                    .get(CONTACT_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("a new contact's relays are looked up again when she is written to");
        }
        return space.transact(tx -> shown(tx, new Book.Contact(0, name, to.pubkey())));
    }

    List<Contact> contacts(@Nullable String wanted) throws ProviderException {
        return space.transact(tx -> {
            List<Contact> contacts = new ArrayList<>();
            for (Book.Contact contact : Book.contacts(tx, pick(tx, wanted).pubkey())) {
                contacts.add(shown(tx, contact));
            }
            return contacts;
        });
    }

    private static Contact shown(Tx tx, Book.Contact contact) throws ProviderException {
        List<URI> relays = Book.peer(tx, contact.pubkey()).relays();
        for (Account own : Book.accounts(tx)) {
            relays = own.pubkey().equals(contact.pubkey()) ? own.relays() : relays;
        }
        return new Contact(contact.name(), contact.pubkey(), Nip19.npub(contact.pubkey()), relays);
    }

    private static ProviderException nameTaken() {
        return rejected("contact.name-taken", "Somebody else has this name here already. Choose another name.");
    }

    /** @param hints relays that came with the address, normalised */
    private record Address(PublicKey pubkey, List<URI> hints) {}

    private static @Nullable Address address(String text) {
        String plain = text.strip();
        if (plain.regionMatches(true, 0, "nostr:", 0, 6)) {
            plain = plain.substring(6);
        }
        try {
            Nip19.Entity entity = Nip19.decode(plain);
            if (entity instanceof Nip19.Npub npub) {
                return new Address(npub.pubkey(), List.of());
            }
            if (entity instanceof Nip19.Profile profile) {
                return new Address(profile.pubkey(), Directory.relays(profile.relays()));
            }
            if (entity instanceof Nip19.Nsec nsec) {
                nsec.clear();
            }
            return null;
        } catch (ProtocolException e) {
            return null;
        }
    }

    private static void hint(Tx tx, Address to) throws ProviderException {
        if (!to.hints().isEmpty()) {
            Peer peer = Book.peer(tx, to.pubkey());
            Peer hinted = peer.hinted(to.hints());
            if (!hinted.equals(peer)) {
                Book.put(tx, to.pubkey(), hinted);
            }
        }
    }

    // ---- messages ----

    Message send(@Nullable String wanted, List<String> to, String text) throws ProviderException {
        check(text);
        return compose(wanted, (tx, account) -> {
            Set<PublicKey> others = others(tx, account, to);
            return new Draft(Room.with(account.pubkey(), others), List.copyOf(others), Kinds.TEXT, List.of(), text, "");
        });
    }

    long timer(@Nullable String wanted, List<String> with, @Nullable Duration after) throws ProviderException {
        if (after != null
                && !after.isZero()
                && (after.compareTo(Messenger.LEAST_TIMER) < 0 || after.compareTo(Messenger.MOST_TIMER) > 0)) {
            throw rejected("timer.out-of-range", "Messages can vanish after 5 seconds to 365 days, or never.");
        }
        return space.transact(tx -> {
            Account account = pick(tx, wanted);
            String conversation = Room.with(account.pubkey(), others(tx, account, with))
                    .conversation()
                    .id();
            if (after != null) {
                Book.putTimer(tx, conversation, after.toSeconds());
            }
            return Book.timer(tx, conversation);
        });
    }

    private Set<PublicKey> others(Tx tx, Account account, List<String> names) throws ProviderException {
        Set<PublicKey> others = new LinkedHashSet<>();
        for (String each : names) {
            others.add(recipient(tx, account, each));
        }
        if (others.size() > 1) {
            others.remove(account.pubkey());
        }
        if (others.isEmpty() || others.size() > Messenger.MAX_OTHERS) {
            throw rejected("room.too-many", "A room has 1 to " + Messenger.MAX_OTHERS + " others. Name fewer people.");
        }
        return others;
    }

    Message reply(@Nullable String wanted, String id, String text) throws ProviderException {
        check(text);
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, true);
            return draft(account, line, Kinds.TEXT, List.of(List.of("e", line.id(), "", "reply")), text);
        });
    }

    Message react(@Nullable String wanted, String id, String reaction) throws ProviderException {
        if (!Marks.isReaction(reaction)) {
            throw rejected("reaction.bad", "A reaction is a picture or a short word of at most 64 bytes, in one line.");
        }
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, true);
            for (Book.Mark mark : Marks.reactions(tx, account.pubkey(), line.id())) {
                if (mark.author().equals(account.pubkey()) && mark.content().equals(reaction)) {
                    throw rejected("reaction.known", "You reacted in this way already. Delete that to take it back.");
                }
            }
            return draft(
                    account,
                    line,
                    Kinds.REACTION,
                    List.of(List.of("e", line.id()), List.of("k", Integer.toString(line.kind()))),
                    reaction);
        });
    }

    Message delete(@Nullable String wanted, String id) throws ProviderException {
        return compose(wanted, (tx, account) -> {
            Line line = about(tx, account, id, false);
            if (!line.author().equals(account.pubkey())) {
                throw rejected("message.not-yours", "Only who wrote it can delete it for everybody.");
            }
            return draft(
                    account,
                    line,
                    Kinds.DELETION,
                    List.of(List.of("e", line.id()), List.of("k", Integer.toString(line.kind()))),
                    "");
        });
    }

    /**
     * What is about to be written.
     *
     * @param to everybody it goes to
     * @param about id of the message it speaks of; empty if none
     */
    private record Draft(
            Room room, List<PublicKey> to, int kind, List<List<String>> tags, String content, String about) {}

    @FunctionalInterface
    private interface Drafting {
        Draft draft(Tx tx, Account account) throws ProviderException;
    }

    private static Draft draft(Account account, Line line, int kind, List<List<String>> tags, String content) {
        return new Draft(Room.with(account.pubkey(), line.members()), line.members(), kind, tags, content, line.id());
    }

    /**
     * The message of that id, or of one that begins so, among the newest.
     *
     * @param toBeRead whether it has to be one that people see by itself
     */
    private static Line about(Tx tx, Account account, String wanted, boolean toBeRead) throws ProviderException {
        String id = wanted.strip().toLowerCase(Locale.ROOT);
        Line found = id.length() == ID_LENGTH ? Book.line(tx, account.pubkey(), id) : null;
        if (found == null && id.length() >= LEAST_OF_ID && id.length() < ID_LENGTH) {
            for (Line line : Book.newest(tx, account.pubkey(), NEWEST)) {
                if (line.id().startsWith(id) && line.kind() != Kinds.DELETION) {
                    if (found != null) {
                        throw rejected("message.ambiguous", "Several messages have an id that begins so.");
                    }
                    found = line;
                }
            }
        }
        if (found == null || found.deleted() || toBeRead && !isRead(found)) {
            throw rejected(
                    "message.unknown",
                    "There is no message with that id, or it was deleted. An id is looked for by its first "
                            + LEAST_OF_ID + " digits or more among the newest " + NEWEST
                            + ", older ones by all of it.");
        }
        return found;
    }

    private static boolean isRead(Line line) {
        return line.kind() == Kinds.TEXT || line.kind() == Kinds.FILE;
    }

    private Message compose(@Nullable String wanted, Drafting drafting) throws ProviderException {
        Moment moment = services.outbox().moment();
        Message message = space.transact(tx -> {
            Account account = pick(tx, wanted);
            PublicKey self = account.pubkey();
            Draft draft = drafting.draft(tx, account);
            Conversation conversation = draft.room().conversation();
            ParleyTag tag = new ParleyTag(
                    account.device(),
                    Book.nextSending(tx, conversation.id()),
                    HybridClock.tick(tx, moment.epochMillis()));
            List<List<String>> tags = new ArrayList<>(draft.tags());
            tags.add(tag.tag());
            long timer = draft.kind() == Kinds.DELETION ? 0 : Book.timer(tx, conversation.id());
            long expires = timer == 0 ? 0 : moment.epochSeconds() + timer;
            if (expires > 0) {
                tags.add(List.of("expiration", Long.toString(expires)));
            }
            Stepped stepped = services.outbox()
                    .step(
                            tx,
                            scope,
                            conversation,
                            new Input.Send(
                                    moment,
                                    self,
                                    draft.to(),
                                    draft.kind(),
                                    tags,
                                    draft.content(),
                                    expires == 0 ? null : expires));
            Rumor rumor = rumor(stepped);
            long position = Book.nextPosition(tx);
            Line line = new Line(
                    position,
                    position,
                    rumor.id().hex(),
                    conversation.id(),
                    draft.to().get(0),
                    self,
                    true,
                    false,
                    draft.kind(),
                    moment.epochMillis(),
                    draft.content(),
                    stepped.schemeId(),
                    draft.about(),
                    draft.room().others(),
                    false,
                    expires,
                    tag.device(),
                    tag.seq(),
                    tag.clock());
            Book.put(tx, self, line);
            Book.putRumorSeen(tx, self, rumor.id(), position);
            if (draft.kind() == Kinds.REACTION) {
                Book.put(tx, self, draft.about(), new Book.Mark(position, Kinds.REACTION, self, draft.content()));
            } else if (draft.kind() == Kinds.DELETION) {
                Line gone = Book.line(tx, self, draft.about());
                if (gone != null) {
                    Marks.erase(tx, self, gone);
                }
            }
            return message(tx, account, line, names(tx, account));
        });
        services.outbox().kick(scope);
        shown();
        return message;
    }

    private static void check(String text) throws ProviderException {
        if (text.isEmpty()) {
            throw rejected("message.empty", "There is nothing to send.");
        }
        // Longest first: nothing is encoded that is too long anyway.
        if (text.length() > Messenger.MAX_TEXT_BYTES) {
            throw tooLong();
        }
        if (text.indexOf(0) >= 0) {
            throw rejected("message.bad-text", "The text holds a NUL character, which messages cannot have.");
        }
        try {
            int bytes = StandardCharsets.UTF_8
                    .newEncoder()
                    .encode(CharBuffer.wrap(text))
                    .remaining();
            if (bytes > Messenger.MAX_TEXT_BYTES) {
                throw tooLong();
            }
        } catch (CharacterCodingException e) {
            throw rejected("message.bad-text", "The text holds half a character and cannot be sent.");
        }
    }

    private static Rumor rumor(Stepped stepped) throws ProviderException {
        for (Effect effect : stepped.effects()) {
            if (effect instanceof Effect.SendWrapped wrapped) {
                Rumor rumor = wrapped.rumor();
                // Line breaks and quotes take two bytes each on the way.
                if (EventWriter.write(rumor).getBytes(StandardCharsets.UTF_8).length > MAX_RUMOR_BYTES) {
                    throw tooLong();
                }
                return rumor;
            }
        }
        throw new ProviderException(
                Kind.UNSUPPORTED, "scheme.unsupported", "The encryption scheme made no message of this text.");
    }

    private static ProviderException tooLong() {
        return rejected("message.too-long", "A message has at most 32 KiB. Send it in parts, or as a file.");
    }

    private PublicKey recipient(Tx tx, Account account, String to) throws ProviderException {
        String name = Normalizer.normalize(to, Normalizer.Form.NFC);
        for (Book.Contact contact : Book.contacts(tx, account.pubkey())) {
            if (contact.name().equals(name)) {
                return contact.pubkey();
            }
        }
        for (Account own : Book.accounts(tx)) {
            if (own.name().equals(name)) {
                return own.pubkey();
            }
        }
        Address address = address(to);
        if (address == null) {
            throw rejected(
                    "recipient.unknown",
                    "There is no contact or identity of this name, and it is no npub. Add the contact first.");
        }
        hint(tx, address);
        return address.pubkey();
    }

    List<Message> messages(@Nullable String wanted, long after, int limit) throws ProviderException {
        return read(wanted, limit, (tx, account) -> Book.after(tx, account.pubkey(), after, limit), false);
    }

    List<Message> latest(@Nullable String wanted, int limit) throws ProviderException {
        return read(wanted, limit, (tx, account) -> newest(tx, account.pubkey(), limit), true);
    }

    /** Those that people read by themselves, newest first; what speaks of them stands beside them. */
    private static List<Line> newest(Tx tx, PublicKey account, int limit) throws ProviderException {
        List<Line> newest = new ArrayList<>();
        List<Line> page = Book.newest(tx, account, limit);
        while (!page.isEmpty()) {
            for (Line line : page) {
                if (isRead(line) && newest.size() < limit) {
                    newest.add(line);
                }
            }
            if (newest.size() == limit || page.size() < limit) {
                break;
            }
            page = Book.before(tx, account, page.get(page.size() - 1).position(), limit);
        }
        return newest;
    }

    @FunctionalInterface
    private interface Lines {
        List<Line> of(Tx tx, Account account) throws ProviderException;
    }

    private List<Message> read(@Nullable String wanted, int limit, Lines lines, boolean newest)
            throws ProviderException {
        if (limit < 1 || limit > 1_000) {
            throw new IllegalArgumentException("limit is 1 to 1,000");
        }
        record Of(Account account, Line line) {}
        long now = services.clock().instant().getEpochSecond();
        return space.transact(tx -> {
            List<Account> accounts = wanted == null ? Book.accounts(tx) : List.of(pick(tx, wanted));
            List<Of> all = new ArrayList<>();
            for (Account account : accounts) {
                for (Line line : lines.of(tx, account)) {
                    // The wiping comes a moment later.
                    if (!line.isOver(now)) {
                        all.add(new Of(account, line));
                    }
                }
            }
            all.sort(Comparator.comparingLong(of -> of.line().position()));
            List<Of> cut = all.size() <= limit
                    ? all
                    : newest ? all.subList(all.size() - limit, all.size()) : all.subList(0, limit);
            if (newest) {
                cut.sort(Comparator.comparing(Of::line, Line.READING_ORDER));
            }
            Map<PublicKey, Map<PublicKey, String>> names = new HashMap<>();
            List<Message> messages = new ArrayList<>();
            for (Of of : cut) {
                Map<PublicKey, String> known = names.get(of.account().pubkey());
                if (known == null) {
                    known = names(tx, of.account());
                    names.put(of.account().pubkey(), known);
                }
                messages.add(message(tx, of.account(), of.line(), known));
            }
            return messages;
        });
    }

    private static Map<PublicKey, String> names(Tx tx, Account account) throws ProviderException {
        Map<PublicKey, String> names = new HashMap<>();
        for (Account own : Book.accounts(tx)) {
            names.put(own.pubkey(), own.name());
        }
        for (Book.Contact contact : Book.contacts(tx, account.pubkey())) {
            names.put(contact.pubkey(), contact.name());
        }
        return names;
    }

    private Message message(Tx tx, Account account, Line line, Map<PublicKey, String> names) throws ProviderException {
        String state = !line.outgoing()
                ? "received"
                : line.elsewhere()
                        ? "sent from another device"
                        : summary(services.outbox().entries(tx, line.id()));
        List<Messenger.Reaction> reactions = new ArrayList<>();
        if (isRead(line)) {
            for (Book.Mark mark : Marks.reactions(tx, account.pubkey(), line.id())) {
                reactions.add(new Messenger.Reaction(named(mark.author(), names), mark.content()));
            }
        }
        return new Message(
                line.position(),
                line.id(),
                account.name(),
                line.peer(),
                named(line.peer(), names),
                line.outgoing(),
                line.sentAt(),
                line.text(),
                state,
                switch (line.kind()) {
                    case Kinds.FILE -> Messenger.What.FILE;
                    case Kinds.REACTION -> Messenger.What.REACTION;
                    case Kinds.DELETION -> Messenger.What.DELETION;
                    default -> Messenger.What.TEXT;
                },
                line.about(),
                line.conversation(),
                line.members().stream().map(member -> named(member, names)).toList(),
                reactions,
                line.deleted(),
                line.expires());
    }

    private static String named(PublicKey person, Map<PublicKey, String> names) {
        String name = names.get(person);
        return name == null ? Nip19.npub(person) : name;
    }

    /** One phrase per recipient; for most messages that is one. */
    static String summary(List<Ledger.Entry> entries) {
        Set<String> phrases = new LinkedHashSet<>();
        for (Ledger.Entry entry : entries) {
            String phrase = switch (entry.state()) {
                case COMPOSED -> "composed";
                case AWAITING_SIGNER -> "awaiting signer";
                case QUEUED -> "queued";
                case AT_RELAYS -> "at relays " + entry.relaysHave() + "/" + entry.relaysAll();
                case DELIVERED -> "delivered";
                case READ -> "read";
                case FAILED -> "failed";
            };
            phrases.add(entry.reason().isEmpty() ? phrase : phrase + " (" + entry.reason() + ")");
        }
        return String.join(", ", phrases);
    }

    AutoCloseable onMessage(Consumer<Message> listener) {
        return announcer.listen(listener);
    }

    private static ProviderException rejected(String code, String text) {
        return new ProviderException(Kind.REJECTED, code, text);
    }
}
