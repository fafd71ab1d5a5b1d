package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger.Message;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Conversations of the default circle as people list them. */
@Component(name = "im.parley.control.chats", service = MethodGroup.class)
public final class ChatMethods implements MethodGroup {
    private static final Scope CIRCLE = Scope.DEFAULT;

    private final Conversations conversations;

    @Activate
    public ChatMethods(@Reference Conversations conversations) {
        this.conversations = conversations;
    }

    @Override
    public Set<String> names() {
        return Set.of(
                "chat.list",
                "chat.show",
                "chat.page",
                "chat.pins",
                "chat.read",
                "chat.pin",
                "chat.mute",
                "chat.draft",
                "chat.accept",
                "chat.remove",
                "chat.typing",
                "message.pin",
                "contact.block",
                "contact.unblock",
                "contact.blocked",
                "identity.settings");
    }

    @Override
    public Map<String, Object> call(Call call) throws ProviderException, ControlException {
        String account = call.optionalText("account");
        return switch (call.method()) {
            case "chat.list" -> list(account);
            case "message.pin" ->
                MessengerMethods.message(conversations.pin(CIRCLE, account, call.text("message"), call.flag("pinned")));
            case "contact.block" -> block(call, account);
            case "contact.unblock" -> unblock(call, account);
            case "contact.blocked" -> Map.of("blocked", conversations.blocked(CIRCLE, account));
            case "identity.settings" -> settings(call, account);
            default -> with(call, account);
        };
    }

    /** What is about the conversation with certain people. */
    private Map<String, Object> with(Call call, @Nullable String account) throws ProviderException, ControlException {
        List<String> with = MessengerMethods.people(call, "with");
        for (String each : with) {
            ForeignAddress.refuseSecretKey(each);
        }
        return switch (call.method()) {
            case "chat.show" -> chat(conversations.chat(CIRCLE, account, with));
            case "chat.page" ->
                messages(conversations.page(CIRCLE, account, with, call.number("before", 0, Long.MAX_VALUE, 0), (int)
                        call.number("limit", 1, 1_000, 50)));
            case "chat.pins" -> messages(conversations.pins(CIRCLE, account, with));
            case "chat.read" -> chat(conversations.read(CIRCLE, account, with));
            case "chat.pin" -> chat(conversations.pin(CIRCLE, account, with, call.flag("pinned")));
            case "chat.mute" ->
                chat(conversations.mute(
                        CIRCLE,
                        account,
                        with,
                        Duration.ofSeconds(call.number("seconds", 0, Conversations.FOR_EVER.toSeconds(), 0))));
            case "chat.draft" -> chat(conversations.draft(CIRCLE, account, with, call.text("text")));
            case "chat.accept" -> chat(conversations.accept(CIRCLE, account, with));
            case "chat.remove" -> Map.of("removed", conversations.remove(CIRCLE, account, with));
            default -> {
                conversations.typing(CIRCLE, account, with);
                yield Map.of();
            }
        };
    }

    private Map<String, Object> list(@Nullable String account) throws ProviderException {
        return Map.of(
                "chats",
                conversations.chats(CIRCLE, account).stream()
                        .map(ChatMethods::chat)
                        .toList());
    }

    private Map<String, Object> block(Call call, @Nullable String account) throws ProviderException, ControlException {
        ForeignAddress.refuseSecretKey(call.text("who"));
        conversations.block(CIRCLE, account, call.text("who"));
        return Map.of("blocked", conversations.blocked(CIRCLE, account));
    }

    private Map<String, Object> unblock(Call call, @Nullable String account)
            throws ProviderException, ControlException {
        ForeignAddress.refuseSecretKey(call.text("who"));
        conversations.unblock(CIRCLE, account, call.text("who"));
        return Map.of("blocked", conversations.blocked(CIRCLE, account));
    }

    private Map<String, Object> settings(Call call, @Nullable String account)
            throws ProviderException, ControlException {
        Conversations.Settings settings = conversations.settings(
                CIRCLE,
                account,
                call.has("receipts") ? call.flag("receipts") : null,
                call.has("typing") ? call.flag("typing") : null);
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("account", settings.account());
        shown.put("receipts", settings.receipts());
        shown.put("typing", settings.typing());
        return shown;
    }

    private static Map<String, Object> messages(List<Message> messages) {
        return Map.of(
                "messages", messages.stream().map(MessengerMethods::message).toList());
    }

    private static Map<String, Object> chat(Conversations.Chat chat) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("account", chat.account());
        shown.put("room", chat.room());
        shown.put("members", chat.members());
        shown.put("keys", chat.keys().stream().map(PublicKey::hex).toList());
        shown.put("request", chat.request());
        shown.put("pinned", chat.pinned());
        shown.put("mutedUntil", chat.mutedUntil());
        shown.put("unread", chat.unread());
        shown.put("mentioned", chat.mentioned());
        shown.put("draft", chat.draft());
        shown.put("timer", chat.timer());
        Message last = chat.last();
        shown.put("last", last == null ? List.of() : List.of(MessengerMethods.message(last)));
        return shown;
    }
}
