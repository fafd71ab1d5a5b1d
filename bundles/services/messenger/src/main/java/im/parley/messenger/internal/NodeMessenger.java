package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.RelayEndpoint;
import im.parley.egress.EgressControl;
import im.parley.envelope.Envelope;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.identities.Identities;
import im.parley.messenger.Circles;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger;
import im.parley.outbox.Outbox;
import im.parley.relayclient.RelayClient;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpaces;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** The messenger of this node and its circles. */
@Component(
        name = NodeMessenger.PID,
        service = {Messenger.class, Conversations.class, Circles.class},
        immediate = true)
public final class NodeMessenger implements Messenger, Conversations, Circles {
    static final String PID = "im.parley.messenger";

    private final NodeCircles circles;

    @Activate
    public NodeMessenger(
            @Reference SealedSpaces spaces,
            @Reference Outbox outbox,
            @Reference Envelope envelope,
            @Reference RelayClient relays,
            @Reference EgressControl egress,
            @Reference(service = Identities.class) Slot<IdentityProvider> identity,
            @Reference InstantSource clock,
            @Reference SecureRandom random,
            @Reference(cardinality = ReferenceCardinality.OPTIONAL, policyOption = ReferencePolicyOption.GREEDY)
                    @Nullable
                    RelayEndpoint ownRelay,
            @Reference(cardinality = ReferenceCardinality.OPTIONAL, policyOption = ReferencePolicyOption.GREEDY)
                    @Nullable
                    FileTransfers files) {
        this(
                new Services(spaces, outbox, envelope, relays, egress, identity, clock, random, ownRelay, files),
                NodeMessenger::platform,
                System::nanoTime);
    }

    private NodeMessenger(Services services, Work.Source works, LongSupplier nanoTime) {
        circles = new NodeCircles(services, works, nanoTime);
    }

    /**
     * On threads of the caller's choice; for simulations in virtual time.
     *
     * @param nanoTime a clock that never turns back
     */
    public static NodeMessenger on(Services services, Work.Source works, LongSupplier nanoTime) {
        return new NodeMessenger(services, works, nanoTime);
    }

    @Deactivate
    public void close() {
        circles.close();
    }

    @Override
    public Account createAccount(Scope scope, String name, char @Nullable [] passphrase) throws ProviderException {
        return circle(scope).accounts().create(name, passphrase);
    }

    @Override
    public Account importAccount(
            Scope scope, String name, char[] key, char @Nullable [] password, char @Nullable [] passphrase)
            throws ProviderException {
        // Whether another circle has the key is known when all are there.
        circles.load();
        return circle(scope).accounts().imported(name, key, password, passphrase);
    }

    @Override
    public Account adoptAccount(Scope scope, String name, PublicKey pubkey) throws ProviderException {
        return circle(scope).accounts().adopted(name, pubkey);
    }

    @Override
    public String exportKey(Scope scope, @Nullable String account, char[] password) throws ProviderException {
        return circle(scope).accounts().exportKey(account, password);
    }

    @Override
    public List<Account> accounts(Scope scope) throws ProviderException {
        return circle(scope).accounts().all();
    }

    @Override
    public Account unlockAccount(Scope scope, @Nullable String account, char[] passphrase) throws ProviderException {
        return circle(scope).accounts().unlock(account, passphrase);
    }

    @Override
    public Contact addContact(Scope scope, @Nullable String account, String name, String address)
            throws ProviderException {
        return circle(scope).contacts().add(account, name, address);
    }

    @Override
    public List<Contact> contacts(Scope scope, @Nullable String account) throws ProviderException {
        return circle(scope).contacts().all(account);
    }

    @Override
    public List<Account> addRelay(Scope scope, @Nullable String account, String url) throws ProviderException {
        return circle(scope).accounts().addRelay(account, url);
    }

    @Override
    public List<Account> removeRelay(Scope scope, @Nullable String account, String url) throws ProviderException {
        return circle(scope).accounts().removeRelay(account, url);
    }

    @Override
    public Message send(Scope scope, @Nullable String account, List<String> to, String text) throws ProviderException {
        return circle(scope).writer().send(account, to, text);
    }

    @Override
    public long timer(Scope scope, @Nullable String account, List<String> with, @Nullable Duration after)
            throws ProviderException {
        return circle(scope).writer().timer(account, with, after);
    }

    @Override
    public Message reply(Scope scope, @Nullable String account, String id, String text) throws ProviderException {
        return circle(scope).writer().reply(account, id, text);
    }

    @Override
    public Message react(Scope scope, @Nullable String account, String id, String reaction) throws ProviderException {
        return circle(scope).writer().react(account, id, reaction);
    }

    @Override
    public Message delete(Scope scope, @Nullable String account, String id) throws ProviderException {
        return circle(scope).delete(account, id);
    }

    @Override
    public List<Message> messages(Scope scope, @Nullable String account, long after, int limit)
            throws ProviderException {
        return circle(scope).reader().messages(account, after, limit);
    }

    @Override
    public List<Message> latest(Scope scope, @Nullable String account, int limit) throws ProviderException {
        return circle(scope).reader().latest(account, limit);
    }

    @Override
    public AutoCloseable onMessage(Scope scope, Consumer<Message> listener) {
        Circle circle = circles.known(scope);
        if (circle == null) {
            throw new IllegalArgumentException("there is no such circle");
        }
        return circle.onMessage(listener);
    }

    @Override
    public Map<String, Long> drops(Scope scope) throws ProviderException {
        return circle(scope).drops();
    }

    @Override
    public String sendFile(Scope scope, @Nullable String account, List<String> to, Path file, PutOptions options)
            throws ProviderException {
        return circle(scope).files().send(account, to, file, options);
    }

    @Override
    public String saveFile(Scope scope, @Nullable String account, String id, Path target, boolean replace)
            throws ProviderException {
        return circle(scope).files().save(account, id, target, replace);
    }

    @Override
    public Message edit(Scope scope, @Nullable String account, String id, String text) throws ProviderException {
        return circle(scope).writer().edit(account, id, text);
    }

    @Override
    public List<Version> history(Scope scope, @Nullable String account, String id) throws ProviderException {
        return circle(scope).reader().history(account, id);
    }

    @Override
    public List<Conversations.Chat> chats(Scope scope, @Nullable String account) throws ProviderException {
        return circle(scope).chats().all(account);
    }

    @Override
    public Conversations.Chat chat(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        return circle(scope).chats().one(account, with);
    }

    @Override
    public List<Message> page(Scope scope, @Nullable String account, List<String> with, long before, int limit)
            throws ProviderException {
        return circle(scope).chats().page(account, with, before, limit);
    }

    @Override
    public Conversations.Chat read(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        return circle(scope).chats().read(account, with);
    }

    @Override
    public Conversations.Chat pin(Scope scope, @Nullable String account, List<String> with, boolean pinned)
            throws ProviderException {
        return circle(scope).chats().pin(account, with, pinned);
    }

    @Override
    public Conversations.Chat mute(Scope scope, @Nullable String account, List<String> with, Duration length)
            throws ProviderException {
        return circle(scope).chats().mute(account, with, length);
    }

    @Override
    public Conversations.Chat draft(Scope scope, @Nullable String account, List<String> with, String text)
            throws ProviderException {
        return circle(scope).chats().draft(account, with, text);
    }

    @Override
    public Conversations.Chat accept(Scope scope, @Nullable String account, List<String> with)
            throws ProviderException {
        return circle(scope).chats().accept(account, with);
    }

    @Override
    public int remove(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        return circle(scope).chats().remove(account, with);
    }

    @Override
    public void block(Scope scope, @Nullable String account, String who) throws ProviderException {
        circle(scope).chats().block(account, who);
    }

    @Override
    public void unblock(Scope scope, @Nullable String account, String who) throws ProviderException {
        circle(scope).chats().unblock(account, who);
    }

    @Override
    public List<String> blocked(Scope scope, @Nullable String account) throws ProviderException {
        return circle(scope).chats().blocked(account);
    }

    @Override
    public Message pin(Scope scope, @Nullable String account, String message, boolean pinned) throws ProviderException {
        return circle(scope).chats().pin(account, message, pinned);
    }

    @Override
    public List<Message> pins(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        return circle(scope).chats().pins(account, with);
    }

    @Override
    public void typing(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        circle(scope).chats().typing(account, with);
    }

    @Override
    public AutoCloseable onTyping(Scope scope, Consumer<Typing> listener) {
        Circle circle = circles.known(scope);
        if (circle == null) {
            throw new IllegalArgumentException("there is no such circle");
        }
        return circle.onTyping(listener);
    }

    @Override
    public Settings settings(Scope scope, @Nullable String account) throws ProviderException {
        return circle(scope).chats().settings(account, null, null);
    }

    @Override
    public Settings settings(
            Scope scope, @Nullable String account, @Nullable Boolean receipts, @Nullable Boolean typing)
            throws ProviderException {
        return circle(scope).chats().settings(account, receipts, typing);
    }

    private Circle circle(Scope scope) throws ProviderException {
        return circles.circle(scope);
    }

    @Override
    public Scope find(@Nullable String name) throws ProviderException {
        return circles.find(name);
    }

    @Override
    public List<Summary> all() throws ProviderException {
        return circles.all();
    }

    @Override
    public Summary create(Draft draft) throws ProviderException {
        return circles.create(draft);
    }

    @Override
    public Summary rename(String name, String next) throws ProviderException {
        return circles.rename(name, next);
    }

    @Override
    public List<String> delete(String name) throws ProviderException {
        return circles.delete(name);
    }

    @Override
    public Invitation invite(String name, @Nullable String account) throws ProviderException {
        return circles.invite(name, account);
    }

    @Override
    public Invitation read(String link) throws ProviderException {
        return circles.read(link);
    }

    @Override
    public Joined join(
            String link, @Nullable String name, String account, @Nullable String contact, @Nullable List<String> relays)
            throws ProviderException {
        return circles.join(link, name, account, contact, relays);
    }

    private static Work platform(String circle) {
        ScheduledThreadPoolExecutor loop = new ScheduledThreadPoolExecutor(1, named("parley-messenger-" + circle));
        loop.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                2, 2, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named("parley-messenger-work-" + circle));
        pool.allowCoreThreadTimeOut(true);
        return new Work(loop, pool);
    }

    private static ThreadFactory named(String name) {
        return task -> {
            Thread thread = Executors.defaultThreadFactory().newThread(task);
            thread.setName(name);
            thread.setDaemon(true);
            return thread;
        };
    }
}
