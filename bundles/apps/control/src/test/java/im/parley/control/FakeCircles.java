package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Circles;
import im.parley.messenger.Messenger;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The default circle and one called Family. */
final class FakeCircles implements Circles {
    static final Scope FAMILY = new Scope("c1");

    final List<String> done = new ArrayList<>();

    private static Summary summary(Scope scope, String name) {
        return new Summary(scope, name, "", List.of(URI.create("wss://a.example")), List.of(), 60, 1, 2, 1, 3);
    }

    private static Invitation invitation() {
        return new Invitation("parley:circle?name=x", "x", "", "", "npub1x", List.of(), List.of());
    }

    @Override
    public Scope find(@Nullable String name) throws ProviderException {
        if (name == null || name.equals(DEFAULT_NAME)) {
            return Scope.DEFAULT;
        }
        if (name.equals("Family")) {
            return FAMILY;
        }
        throw new ProviderException(Kind.REJECTED, "circle.unknown", "There is no circle of this name.");
    }

    @Override
    public List<Summary> all() {
        return List.of(summary(Scope.DEFAULT, DEFAULT_NAME), summary(FAMILY, "Family"));
    }

    @Override
    public Summary create(Draft draft) {
        done.add("create " + draft.name() + draft.relays() + draft.fileServers() + draft.timerSeconds());
        return summary(FAMILY, draft.name());
    }

    @Override
    public Summary rename(String name, String next) {
        done.add("rename " + name + " " + next);
        return summary(FAMILY, next);
    }

    @Override
    public List<String> delete(String name) {
        done.add("delete " + name);
        return List.of("token");
    }

    @Override
    public Invitation invite(String name, @Nullable String account) {
        return invitation();
    }

    @Override
    public Invitation read(String link) {
        return invitation();
    }

    @Override
    public Joined join(
            String link,
            @Nullable String name,
            String account,
            @Nullable String contact,
            @Nullable List<String> relays) {
        done.add("join " + name + account + contact + relays);
        return new Joined(
                summary(FAMILY, "x"),
                new Messenger.Account(account, FakeMessenger.KEY, "npub1x", "nprofile1x", List.of(), false),
                new Messenger.Contact("inviter", FakeMessenger.KEY, "npub1x", List.of()));
    }
}
