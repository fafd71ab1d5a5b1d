package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Circles;
import im.parley.messenger.Messenger;
import im.parley.outbox.CircleRecords;
import im.parley.slot.Lease;
import im.parley.vault.SealedSpace;
import java.net.URI;
import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the circles up when the node starts, makes them and ends them. The default one is there at once; the others as
 * soon as the records are. Thread-safe.
 */
final class NodeCircles implements Circles, KeyOwners {
    private static final Logger LOG = LoggerFactory.getLogger(NodeCircles.class);
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final Services services;
    private final Work.Source works;
    private final LongSupplier nanoTime;
    private final Work work;
    private final Registry registry;
    private final Map<Scope, Circle> open = new ConcurrentHashMap<>();
    /** As they were read or written last. */
    private final Map<Scope, String> names = new ConcurrentHashMap<>();
    /** Taken before the monitor of this object, by whatever changes which circles there are. */
    private final Object changing = new Object();
    // Guarded by changing.
    private boolean closed;
    private volatile boolean loaded;

    NodeCircles(Services services, Work.Source works, LongSupplier nanoTime) {
        this.services = services;
        this.works = works;
        this.nanoTime = nanoTime;
        registry = new Registry(services.spaces());
        open(Scope.DEFAULT);
        work = works.forCircle("node");
        work.inOrder(this::bringUp);
    }

    void close() {
        work.close();
        synchronized (changing) {
            closed = true;
            open.values().forEach(Circle::close);
        }
    }

    private void open(Scope scope) {
        open.put(scope, new Circle(scope, services, works.forCircle(scope.circle()), nanoTime, this));
    }

    private void bringUp() {
        try {
            load();
            settle();
        } catch (ProviderException e) {
            LOG.debug("circles are looked at again soon: {}", e.code());
            work.later(RETRY, this::bringUp);
        }
    }

    /** Opens what there is, once. */
    void load() throws ProviderException {
        if (loaded) {
            return;
        }
        synchronized (changing) {
            if (loaded) {
                return;
            }
            for (Registry.Entry entry : registry.all()) {
                if (closed) {
                    throw closing();
                }
                if (entry.stage() == Registry.Stage.THERE && !open.containsKey(entry.scope())) {
                    open(entry.scope());
                }
            }
            loaded = true;
        }
    }

    /** Takes up what a crash or a store that failed left half done. */
    private void settle() throws ProviderException {
        synchronized (changing) {
            for (Registry.Entry entry : registry.all()) {
                if (closed) {
                    return;
                }
                if (entry.stage() != Registry.Stage.THERE) {
                    finish(entry);
                } else if (!open.containsKey(entry.scope())) {
                    open(entry.scope());
                }
            }
        }
    }

    private static ProviderException closing() {
        return new ProviderException(Kind.UNAVAILABLE, "messenger.closed", "The messenger is being stopped.");
    }

    Circle circle(Scope scope) throws ProviderException {
        Circle circle = open.get(scope);
        if (circle == null) {
            load();
            circle = open.get(scope);
        }
        if (circle == null) {
            throw unknown();
        }
        return circle;
    }

    /** Without looking at the records; null if it is not there now. */
    @Nullable
    Circle known(Scope scope) {
        return open.get(scope);
    }

    private static ProviderException unknown() {
        return Rejected.of("circle.unknown", "There is no circle of this name.");
    }

    // ---- names ----

    private String name(Scope scope) throws ProviderException {
        String known = names.get(scope);
        if (known == null) {
            known = circle(scope).definition().name();
            names.put(scope, known);
        }
        return known;
    }

    @Override
    public Scope find(@Nullable String name) throws ProviderException {
        if (name == null || name.equals(DEFAULT_NAME)) {
            return Scope.DEFAULT;
        }
        load();
        String composed = Normalizer.normalize(name, Normalizer.Form.NFC);
        for (Scope scope : open.keySet()) {
            if (name(scope).equals(composed)) {
                return scope;
            }
        }
        throw unknown();
    }

    /** Names that differ in capitals only would be mistaken for each other, and a message with them. */
    private String free(String wanted, @Nullable Scope self) throws ProviderException {
        String name = Names.checked(wanted, "circle.bad-name");
        boolean taken = name.equalsIgnoreCase(DEFAULT_NAME) && !Scope.DEFAULT.equals(self);
        for (Scope scope : open.keySet()) {
            taken |= !scope.equals(self) && name(scope).equalsIgnoreCase(name);
        }
        if (taken) {
            throw Rejected.of("circle.name-taken", "There is a circle of this name already. Choose another name.");
        }
        return name;
    }

    // ---- what there is ----

    @Override
    public List<Summary> all() throws ProviderException {
        load();
        List<Summary> all = new ArrayList<>(List.of(shown(Scope.DEFAULT)));
        for (Registry.Entry entry : registry.all()) {
            if (entry.stage() == Registry.Stage.THERE && open.containsKey(entry.scope())) {
                all.add(shown(entry.scope()));
            }
        }
        return all;
    }

    private Summary shown(Scope scope) throws ProviderException {
        Circle circle = circle(scope);
        Definition definition = circle.definition();
        List<Messenger.Account> accounts = circle.accounts().all();
        Set<URI> relays = new HashSet<>();
        accounts.forEach(account -> relays.addAll(account.relays()));
        return new Summary(
                scope,
                definition.name(),
                definition.description(),
                uris(definition.relays()),
                definition.fileServers(),
                definition.timerSeconds(),
                definition.createdAt(),
                accounts.size(),
                relays.size(),
                circle.messages());
    }

    private static List<URI> uris(List<Account.Inbox> inboxes) {
        return inboxes.stream().map(Account.Inbox::relay).toList();
    }

    // ---- making and naming ----

    @Override
    public Summary create(Draft draft) throws ProviderException {
        return shown(make(draft, Account.Inbox::named));
    }

    @FunctionalInterface
    private interface Taking {
        Account.Inbox of(URI relay);
    }

    private Scope make(Draft draft, Taking taking) throws ProviderException {
        Definition definition = definition(draft, taking);
        synchronized (changing) {
            load();
            String name = free(draft.name(), null);
            if (closed) {
                throw closing();
            }
            if (open.size() > MAX_CIRCLES) {
                throw Rejected.of(
                        "circle.too-many",
                        "There are at most " + MAX_CIRCLES + " circles beside the default one. Remove one first.");
            }
            Registry.Entry entry = registry.add(new Scope(randomId()));
            try {
                services.spaces().open(CircleRecords.space(entry.scope())).update(definition.renamed(name)::put);
                registry.put(entry.in(Registry.Stage.THERE));
            } catch (ProviderException e) {
                work.later(RETRY, this::bringUp);
                throw e;
            }
            names.put(entry.scope(), name);
            open(entry.scope());
            return entry.scope();
        }
    }

    private String randomId() {
        byte[] id = new byte[12];
        services.random().nextBytes(id);
        return "c" + HexFormat.of().formatHex(id);
    }

    private Definition definition(Draft draft, Taking taking) throws ProviderException {
        Set<URI> relays = new LinkedHashSet<>();
        for (String relay : draft.relays()) {
            relays.add(InvitationLink.relay(relay, "relay.bad-url"));
        }
        if (relays.size() > MAX_RELAYS) {
            throw Rejected.of("relay.too-many", "A circle has at most " + MAX_RELAYS + " relays.");
        }
        Set<URI> fileServers = new LinkedHashSet<>();
        for (String server : draft.fileServers()) {
            fileServers.add(InvitationLink.fileServer(server, "file-server.bad-url"));
        }
        if (fileServers.size() > MAX_FILE_SERVERS) {
            throw Rejected.of("file-server.too-many", "A circle has at most " + MAX_FILE_SERVERS + " file servers.");
        }
        long timer = draft.timerSeconds();
        if (timer != 0 && (timer < Messenger.LEAST_TIMER.toSeconds() || timer > Messenger.MOST_TIMER.toSeconds())) {
            throw Rejected.of("timer.out-of-range", "Messages can vanish after 5 seconds to 365 days, or never.");
        }
        return new Definition(
                draft.name(),
                InvitationLink.description(draft.description(), "circle.bad-description"),
                relays.stream().map(taking::of).toList(),
                List.copyOf(fileServers),
                timer,
                services.clock().millis());
    }

    @Override
    public Summary rename(String name, String next) throws ProviderException {
        synchronized (changing) {
            Scope scope = find(name);
            String free = free(next, scope);
            circle(scope).define(circle(scope).definition().renamed(free));
            names.put(scope, free);
            return shown(scope);
        }
    }

    // ---- ending ----

    @Override
    public List<String> delete(String name) throws ProviderException {
        Scope scope = find(name);
        if (scope.equals(Scope.DEFAULT)) {
            throw Rejected.of("circle.default", "The default circle stays; it can be renamed.");
        }
        return delete(scope);
    }

    private List<String> delete(Scope scope) throws ProviderException {
        synchronized (changing) {
            Registry.Entry entry = registry.all().stream()
                    .filter(each -> each.scope().equals(scope))
                    .findFirst()
                    .orElseThrow(NodeCircles::unknown);
            Registry.Entry leaving = entry.in(Registry.Stage.LEAVING);
            try {
                registry.put(leaving);
                return finish(leaving);
            } catch (ProviderException e) {
                work.later(RETRY, this::bringUp);
                throw e;
            }
        }
    }

    /** The keys first: only the records know which they are. Doing it again is harmless. */
    private List<String> finish(Registry.Entry entry) throws ProviderException {
        Scope scope = entry.scope();
        Circle circle;
        synchronized (this) {
            circle = open.remove(scope);
            names.remove(scope);
        }
        if (circle != null) {
            circle.close();
        }
        services.relays().end(scope);
        SealedSpace space = services.spaces().open(CircleRecords.space(scope));
        List<String> kept = new ArrayList<>();
        for (Account account : space.transact(Book::accounts)) {
            try (Lease<IdentityProvider> lease = services.identity().acquire()) {
                if (!lease.get().forget(account.pubkey())) {
                    kept.add(account.name());
                }
            }
        }
        services.spaces().destroy(CircleRecords.space(scope));
        // What was under way when the circle was closed may have opened another one.
        services.relays().end(scope);
        services.egress().forget(scope);
        registry.remove(entry);
        LOG.info("Circle {} is gone.", scope.circle());
        return kept;
    }

    // ---- keys ----

    @Override
    public void check(Scope scope, @Nullable PublicKey key) throws ProviderException {
        if (!open.containsKey(scope)) {
            throw unknown();
        }
        if (key == null) {
            return;
        }
        for (Map.Entry<Scope, Circle> other : open.entrySet()) {
            if (!other.getKey().equals(scope) && other.getValue().has(key)) {
                throw Rejected.of(
                        "identity.known",
                        "This key is an identity of another circle. Circles would meet in it; use another key here.");
            }
        }
    }

    // ---- invitations ----

    @Override
    public Invitation invite(String name, @Nullable String wanted) throws ProviderException {
        Circle circle = circle(find(name));
        Definition definition = circle.definition();
        Messenger.Account account = circle.accounts().one(wanted);
        List<URI> relays = definition.relays().isEmpty() ? account.relays() : uris(definition.relays());
        return InvitationLink.read(InvitationLink.write(
                        definition.name(),
                        definition.description(),
                        account.name(),
                        account.pubkey(),
                        account.relays(),
                        relays,
                        definition.fileServers()))
                .invitation();
    }

    @Override
    public Invitation read(String link) throws ProviderException {
        return InvitationLink.read(link).invitation();
    }

    @Override
    public Joined join(
            String link, @Nullable String name, String account, @Nullable String contact, @Nullable List<String> relays)
            throws ProviderException {
        InvitationLink.Read read = InvitationLink.read(link);
        Invitation invitation = read.invitation();
        String inviter = contact == null ? invitation.from() : contact;
        Names.checked(inviter, "contact.bad-name");
        Names.checked(account, "identity.bad-name");
        Draft draft = new Draft(
                name == null ? invitation.circle() : name,
                invitation.description(),
                relays == null ? invitation.relays().stream().map(URI::toString).toList() : relays,
                invitation.fileServers().stream().map(URI::toString).toList(),
                0);
        load();
        refuseOwn(invitation);
        Scope scope = make(draft, relays == null ? Account.Inbox::offered : Account.Inbox::named);
        try {
            Circle circle = circle(scope);
            Messenger.Account made = circle.accounts().create(account, null);
            Messenger.Contact known = circle.contacts().add(null, inviter, read.profile());
            return new Joined(shown(scope), made, known);
        } catch (ProviderException e) {
            delete(scope);
            throw e;
        }
    }

    /** Who invites herself would have two circles that know each other. */
    private void refuseOwn(Invitation invitation) throws ProviderException {
        for (Circle circle : open.values()) {
            for (Messenger.Account own : circle.accounts().all()) {
                if (own.npub().equals(invitation.inviter())) {
                    throw Rejected.of("invitation.own", "This invitation is from an identity of this node.");
                }
            }
        }
    }
}
