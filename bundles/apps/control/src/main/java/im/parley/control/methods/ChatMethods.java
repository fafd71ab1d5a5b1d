package im.parley.control.methods;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.control.Call;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.messenger.Circles;
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

/** Conversations of a circle as people list them: of the one that a call names, else of the default one. */
@Component(name = "im.parley.control.chats", service = MethodGroup.class)
public final class ChatMethods implements MethodGroup {
    private final Conversations conversations;
    private final Circles circles;

    @Activate
    public ChatMethods(@Reference Conversations conversations, @Reference Circles circles) {
        this.conversations = conversations;
        this.circles = circles;
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
        Scope circle = circles.find(call.optionalText("circle"));
        return switch (call.method()) {
            case "chat.list" -> list(circle, account);
            case "message.pin" ->
                MessengerMethods.message(conversations.pin(circle, account, call.text("message"), call.flag("pinned")));
            case "contact.block" -> block(circle, call, account);
            case "contact.unblock" -> unblock(circle, call, account);
            case "contact.blocked" -> Map.of("blocked", conversations.blocked(circle, account));
            case "identity.settings" -> settings(circle, call, account);
            default -> with(circle, call, account);
        };
    }

    /** What is about the conversation with certain people. */
    private Map<String, Object> with(Scope circle, Call call, @Nullable String account)
            throws ProviderException, ControlException {
        List<String> with = MessengerMethods.people(call, "with");
        for (String each : with) {
            ForeignAddress.refuseSecretKey(each);
        }
        return switch (call.method()) {
            case "chat.show" -> chat(conversations.chat(circle, account, with));
            case "chat.page" ->
                messages(conversations.page(circle, account, with, call.number("before", 0, Long.MAX_VALUE, 0), (int)
                        call.number("limit", 1, 1_000, 50)));
            case "chat.pins" -> messages(conversations.pins(circle, account, with));
            case "chat.read" -> chat(conversations.read(circle, account, with));
            case "chat.pin" -> chat(conversations.pin(circle, account, with, call.flag("pinned")));
            case "chat.mute" ->
                chat(conversations.mute(
                        circle,
                        account,
                        with,
                        Duration.ofSeconds(call.number("seconds", 0, Conversations.FOR_EVER.toSeconds(), 0))));
            case "chat.draft" -> chat(conversations.draft(circle, account, with, call.text("text")));
            case "chat.accept" -> chat(conversations.accept(circle, account, with));
            case "chat.remove" -> Map.of("removed", conversations.remove(circle, account, with));
            default -> {
                conversations.typing(circle, account, with);
                yield Map.of();
            }
        };
    }

    private Map<String, Object> list(Scope circle, @Nullable String account) throws ProviderException {
        return Map.of(
                "chats",
                conversations.chats(circle, account).stream()
                        .map(ChatMethods::chat)
                        .toList());
    }

    private Map<String, Object> block(Scope circle, Call call, @Nullable String account)
            throws ProviderException, ControlException {
        ForeignAddress.refuseSecretKey(call.text("who"));
        conversations.block(circle, account, call.text("who"));
        return Map.of("blocked", conversations.blocked(circle, account));
    }

    private Map<String, Object> unblock(Scope circle, Call call, @Nullable String account)
            throws ProviderException, ControlException {
        ForeignAddress.refuseSecretKey(call.text("who"));
        conversations.unblock(circle, account, call.text("who"));
        return Map.of("blocked", conversations.blocked(circle, account));
    }

    private Map<String, Object> settings(Scope circle, Call call, @Nullable String account)
            throws ProviderException, ControlException {
        Conversations.Settings settings = conversations.settings(
                circle,
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
