package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.transport.RelayEndpoint;
import im.parley.files.FileDescription;
import im.parley.messenger.Conversations.Typing;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.Outbox.Attachment;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.OutboxHost;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.slot.Lease;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One circle: its accounts, contacts, conversations and messages, and what keeps them moving. Thread-safe. */
final class Circle implements OutboxHost {
    private static final Logger LOG = LoggerFactory.getLogger(Circle.class);
    private static final Duration LOCK_POLL = Duration.ofSeconds(1);
    private static final Duration RECEIPTS_TOGETHER = Duration.ofMillis(300);
    private static final Duration STORE_RETRY = Duration.ofSeconds(1);

    private static final int WIPED_AT_ONCE = 100;

    private final Scope scope;
    private final Services services;
    private final Work work;
    private final LongSupplier nanoTime;
    private final SealedSpace space;
    private final Directory directory;
    private final RelayLists lists;
    private final Inboxes inboxes;
    private final Announcer announcer;
    private final Accounts accounts;
    private final Contacts contacts;
    private final Reader reader;
    private final Writer writer;
    private final Signals signals;
    private final Typists typists;
    private final ChatList chats;
    private final FileMessages files;
    private final Attachment attachment;
    private final Map<PublicKey, Intake> intakes = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> drops = new ConcurrentHashMap<>();
    /** Whether receipts are to be written soon. */
    private final AtomicBoolean receipts = new AtomicBoolean();

    /** Whether messages came whose deadline was not looked at. */
    private volatile boolean deadlinesChanged = true;

    // Confined to the loop.
    private Set<PublicKey> unlocked = new HashSet<>();
    /** As last read; null if it may have changed. */
    private @Nullable List<Account> current;

    private long nextDeadline;

    private boolean begun;
    private boolean troubled;

    /** @param keys whose keys may be in this circle */
    Circle(Scope scope, Services services, Work work, LongSupplier nanoTime, KeyOwners keys) {
        this.scope = scope;
        this.services = services;
        this.work = work;
        this.nanoTime = nanoTime;
        space = services.spaces().open(CircleRecords.space(scope));
        directory = new Directory(
                scope, space, services, work, () -> services.outbox().hurry(scope));
        lists = new RelayLists(scope, space, services, work);
        inboxes = new Inboxes(scope, space, services, work, this::intake);
        accounts = new Accounts(
                scope, space, services, work, directory, lists, this::ownRelay, this::locked, this::soon, keys);
        contacts = new Contacts(space, directory);
        reader = new Reader(space, services);
        writer = new Writer(scope, space, services, reader, this::shown);
        files = new FileMessages(scope, space, services.files(), work, writer);
        signals = new Signals(scope, space, services);
        typists = new Typists(scope, space, services, directory, nanoTime);
        chats = new ChatList(space, services, reader, typists, this::owing);
        announcer = new Announcer(work, new Announcer.Reader() {
            @Override
            public long newest() throws ProviderException {
                return space.transact(Book::position);
            }

            @Override
            public List<Message> after(long position, int limit) throws ProviderException {
                return reader.messages(null, position, limit);
            }
        });
        attachment = services.outbox().attach(scope, this);
        work.inOrder(this::look);
    }

    void close() {
        attachment.close();
        try {
            files.close();
        } catch (Exception e) {
            LOG.warn("The files of circle {} are still listened to.", scope.circle(), e);
        }
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
            Chats.index(space);
            owing();
            files.resume();
        }
        List<Account> all = current;
        if (all == null) {
            all = space.transact(Book::accounts);
            current = all;
        }
        if (!begun) {
            // The egress forgets what the user named when the node stops.
            for (Account account : all) {
                account.inboxes().stream()
                        .filter(Account.Inbox::named)
                        .forEach(inbox -> services.egress().allow(scope, inbox.relay()));
            }
            begun = true;
        }
        List<Account> open = new ArrayList<>();
        Set<PublicKey> now = new HashSet<>();
        for (Account account : all) {
            if (!locked(account.pubkey())) {
                open.add(account);
                now.add(account.pubkey());
            }
        }
        wipe(all);
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
    private void wipe(List<Account> all) throws ProviderException {
        long now = services.clock().instant().getEpochSecond();
        if (!deadlinesChanged && now < nextDeadline) {
            return;
        }
        deadlinesChanged = false;
        long next = Long.MAX_VALUE;
        try {
            for (Account account : all) {
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
                Erasing erasing = new Erasing();
                for (Line line : over) {
                    Marks.wipe(tx, account, line, erasing);
                }
                erasing.finish(tx);
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
                    Account.Inbox there = inbox.own() ? Account.Inbox.own(own) : inbox;
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
                unused -> new Intake(
                        scope,
                        account,
                        space,
                        services,
                        work,
                        nanoTime,
                        signals,
                        typists,
                        this::dropped,
                        this::arrived));
    }

    /** Messages of others became visible. */
    private void arrived() {
        shown();
        owing();
    }

    /** There may be receipts to write; those of a moment go together. */
    private void owing() {
        if (receipts.compareAndSet(false, true)) {
            work.later(RECEIPTS_TOGETHER, this::sendReceipts);
        }
    }

    private void sendReceipts() {
        receipts.set(false);
        try {
            for (Account account : space.transact(Book::accounts)) {
                signals.send(account.pubkey());
            }
        } catch (ProviderException e) {
            LOG.debug("receipts are written later: {}", e.code());
            if (receipts.compareAndSet(false, true)) {
                work.later(STORE_RETRY, this::sendReceipts);
            }
        }
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

    Definition definition() throws ProviderException {
        return space.transact(Definition::of);
    }

    void define(Definition definition) throws ProviderException {
        space.update(definition::put);
    }

    /** Whether one of its identities has that key. */
    boolean has(PublicKey key) throws ProviderException {
        return space.transact(Book::accounts).stream()
                .anyMatch(account -> account.pubkey().equals(key));
    }

    /** How many messages became visible so far. */
    long messages() throws ProviderException {
        return space.transact(Book::position);
    }

    Accounts accounts() {
        return accounts;
    }

    Contacts contacts() {
        return contacts;
    }

    Reader reader() {
        return reader;
    }

    Writer writer() {
        return writer;
    }

    /** A file of one's own is taken back from its servers, too. */
    Message delete(@Nullable String wanted, String id) throws ProviderException {
        record Of(PublicKey account, @Nullable FileDescription file) {}
        Of of = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Line line = Writer.about(tx, account, id, false);
            boolean own = line.outgoing() && line.kind() == Kinds.FILE;
            return new Of(account.pubkey(), own ? FileMessages.description(tx, account.pubkey(), line) : null);
        });
        Message deleted = writer.delete(wanted, id);
        if (of.file() != null) {
            files.delete(of.account(), of.file());
        }
        return deleted;
    }

    FileMessages files() {
        return files;
    }

    ChatList chats() {
        return chats;
    }

    AutoCloseable onTyping(Consumer<Typing> listener) {
        return typists.listen(listener);
    }

    AutoCloseable onMessage(Consumer<Message> listener) {
        return announcer.listen(listener);
    }
}
