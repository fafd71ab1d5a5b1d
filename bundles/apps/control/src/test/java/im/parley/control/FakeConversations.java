package im.parley.control;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger.Message;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One conversation that keeps what it is told. */
final class FakeConversations implements Conversations {
    final List<Consumer<Typing>> listeners = new CopyOnWriteArrayList<>();
    private final FakeMessenger messenger;
    private final List<String> blocked = new ArrayList<>();
    private Chat chat = new Chat(
            "alice", "room", List.of("bob"), List.of(FakeMessenger.KEY), true, false, 0, 2, true, "", 60, null);
    private Settings settings = new Settings("alice", true, true);

    FakeConversations(FakeMessenger messenger) {
        this.messenger = messenger;
    }

    private Chat now(boolean request, boolean pinned, long mutedUntil, int unread, String draft) {
        chat = new Chat(
                "alice",
                "room",
                List.of("bob"),
                List.of(FakeMessenger.KEY),
                request,
                pinned,
                mutedUntil,
                unread,
                unread > 0,
                draft,
                60,
                null);
        return chat;
    }

    @Override
    public List<Chat> chats(Scope scope, @Nullable String account) {
        return List.of(chat);
    }

    @Override
    public Chat chat(Scope scope, @Nullable String account, List<String> with) {
        return chat;
    }

    @Override
    public List<Message> page(Scope scope, @Nullable String account, List<String> with, long before, int limit)
            throws ProviderException {
        return messenger.latest(scope, account, limit);
    }

    @Override
    public Chat read(Scope scope, @Nullable String account, List<String> with) {
        return now(chat.request(), chat.pinned(), chat.mutedUntil(), 0, chat.draft());
    }

    @Override
    public Chat pin(Scope scope, @Nullable String account, List<String> with, boolean pinned) {
        return now(chat.request(), pinned, chat.mutedUntil(), chat.unread(), chat.draft());
    }

    @Override
    public Chat mute(Scope scope, @Nullable String account, List<String> with, Duration length) {
        return now(chat.request(), chat.pinned(), length.toSeconds(), chat.unread(), chat.draft());
    }

    @Override
    public Chat draft(Scope scope, @Nullable String account, List<String> with, String text) {
        return now(chat.request(), chat.pinned(), chat.mutedUntil(), chat.unread(), text);
    }

    @Override
    public Chat accept(Scope scope, @Nullable String account, List<String> with) {
        return now(false, chat.pinned(), chat.mutedUntil(), chat.unread(), chat.draft());
    }

    @Override
    public int remove(Scope scope, @Nullable String account, List<String> with) {
        return 3;
    }

    @Override
    public void block(Scope scope, @Nullable String account, String who) {
        blocked.add(who);
    }

    @Override
    public void unblock(Scope scope, @Nullable String account, String who) {
        blocked.remove(who);
    }

    @Override
    public List<String> blocked(Scope scope, @Nullable String account) {
        return List.copyOf(blocked);
    }

    @Override
    public Message pin(Scope scope, @Nullable String account, String message, boolean pinned) throws ProviderException {
        return messenger.latest(scope, account, 1).get(0);
    }

    @Override
    public List<Message> pins(Scope scope, @Nullable String account, List<String> with) throws ProviderException {
        return messenger.latest(scope, account, 1);
    }

    @Override
    public void typing(Scope scope, @Nullable String account, List<String> with) {
        Typing typing = new Typing("alice", "room", FakeMessenger.KEY, "bob", 5_000);
        listeners.forEach(listener -> listener.accept(typing));
    }

    @Override
    public AutoCloseable onTyping(Scope scope, Consumer<Typing> listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }

    @Override
    public Settings settings(Scope scope, @Nullable String account) {
        return settings;
    }

    @Override
    public Settings settings(
            Scope scope, @Nullable String account, @Nullable Boolean receipts, @Nullable Boolean typing) {
        settings = new Settings(
                "alice",
                receipts == null ? settings.receipts() : receipts,
                typing == null ? settings.typing() : typing);
        return settings;
    }
}
