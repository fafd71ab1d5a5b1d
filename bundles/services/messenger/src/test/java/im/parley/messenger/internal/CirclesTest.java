package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.messenger.Circles;
import im.parley.messenger.Circles.Draft;
import im.parley.messenger.Messenger.Account;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Ledger;
import im.parley.outbox.simulation.OpenEnvelope;
import im.parley.outbox.simulation.SimulatedCrash;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Circles of one node: each in its own place, none in another's, and nothing left of one that is over. */
class CirclesTest {
    private static final List<String> NAMES = List.of("default", "Family", "Friends", "Work");
    private static final String OWN = "ws://127.0.0.1:7470";
    private static final Duration MINUTE = Duration.ofMinutes(1);

    private final VirtualTime time = new VirtualTime(Seeds.generator("circles"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode node = new SimulatedNode(time, relays, "", true);
    private final Circles circles = node.messenger;

    CirclesTest() {
        relays.faults.instantFetch = true;
    }

    private static void refused(String code, Executable call) {
        assertEquals(code, assertThrows(ProviderException.class, call).code());
    }

    private static Draft named(String name) {
        return new Draft(name, "", List.of(), List.of(), 0);
    }

    // ---- nothing crosses ----

    /** One circle and who is in it; every text of it has its mark. */
    private static final class Planted {
        final String circle;
        final String mark;
        final String relay;
        final Scope scope;
        final Account self;
        final PublicKey friend;
        final SimulatedNode friendsNode;
        final Scope friends;

        Planted(CirclesTest test, String circle) throws ProviderException {
            this.circle = circle;
            mark = "canary-" + circle.toLowerCase(Locale.ROOT);
            relay = "wss://" + mark + ".example";
            if (!circle.equals("default")) {
                test.circles.create(new Draft(
                        circle, mark + " about", List.of(relay), List.of("https://files." + mark + ".example"), 0));
            }
            scope = test.circles.find(circle);
            friendsNode = new SimulatedNode(test.time, test.relays, "", true);
            // Not her default circle, so that whoever comes to a relay is known by the circle.
            friends = friendsNode.messenger.create(named("Theirs")).scope();
            friend = friendsNode
                    .api()
                    .createAccount(friends, mark + " friend", null)
                    .pubkey();
            friendsNode.api().addRelay(friends, null, relay);
            self = test.node.api().createAccount(scope, mark + " self", null);
            if (circle.equals("default")) {
                test.node.api().addRelay(scope, null, relay);
            }
            test.time.run(MINUTE);
            test.node.api().addContact(scope, null, mark + " contact", Nip19.npub(friend));
        }

        List<String> canaries() {
            return List.of(mark, self.pubkey().hex(), friend.hex());
        }
    }

    @Test
    void nothingCrossesBetweenFourCircles() throws Exception {
        List<Planted> all = new ArrayList<>();
        for (String name : NAMES) {
            all.add(new Planted(this, name));
        }
        for (Planted each : all) {
            node.api().send(each.scope, null, each.mark + " contact", each.mark + " goes out");
            each.friendsNode.api().send(each.friends, null, each.self.npub(), each.mark + " comes in");
        }
        time.run(MINUTE);
        node.kill();
        node.boot();
        time.run(MINUTE);
        for (Planted each : all) {
            assertEquals(
                    Set.of(each.mark + " goes out", each.mark + " comes in"),
                    Set.copyOf(texts(each.scope)),
                    each.circle + " has its own messages, also after a restart");
            assertTrue(texts(each.friendsNode, each.friends).contains(each.mark + " goes out"));
            assertEquals(1, node.outbox.totals(each.scope).sent());
        }

        Map<String, String> seen = new LinkedHashMap<>();
        Map<String, Planted> whose = new LinkedHashMap<>();
        for (Planted each : all) {
            String space = "circle:" + each.scope.circle();
            place(seen, whose, each, "records", node.records.texts().getOrDefault(space, ""));
            place(seen, whose, each, "egress", String.valueOf(node.named.get(each.scope)));
            place(seen, whose, each, "answers", answers(each.scope));
            SimulatedRelays.Relay relay = relays.relay(each.relay);
            StringBuilder frames = new StringBuilder();
            for (Event event : relay.events()) {
                frames.append(EventWriter.write(event)).append('\n');
            }
            for (Event event : relay.offered) {
                frames.append(EventWriter.write(event)).append('\n');
            }
            frames.append(relay.publishers);
            place(seen, whose, each, "relay", frames.toString());
            assertEquals(
                    Set.of(each.scope.circle(), each.friends.circle()),
                    relay.circles,
                    "the relay of " + each.circle + " is reached from there only, and by its friend");
        }
        int checked = 0;
        for (Map.Entry<String, String> entry : seen.entrySet()) {
            for (Planted each : all) {
                boolean its = each == whose.get(entry.getKey());
                for (String canary : each.canaries()) {
                    checked++;
                    boolean there = entry.getValue().contains(canary);
                    assertTrue(!there || its, canary + " of " + each.circle + " is in " + entry.getKey());
                }
                if (its) {
                    assertTrue(entry.getValue().contains(each.mark), "an empty place proves nothing: " + entry);
                }
            }
        }
        assertEquals(16, seen.size());
        System.out.println("circles: " + seen.size() + " places, " + checked + " looks, nothing crossed");

        String registry = node.records.texts().getOrDefault("node:circles", "");
        for (Planted each : all) {
            for (String canary : each.canaries()) {
                assertFalse(registry.contains(canary), "the list of circles says nothing of them");
            }
        }
        askForOthers(all);
    }

    private static void place(
            Map<String, String> seen, Map<String, Planted> whose, Planted owner, String what, String text) {
        String name = what + " of " + owner.circle;
        seen.put(name, text);
        whose.put(name, owner);
    }

    /** What the interfaces say of one circle. */
    private String answers(Scope scope) throws ProviderException {
        StringBuilder text = new StringBuilder();
        text.append(node.api().accounts(scope)).append(node.api().contacts(scope, null));
        for (Message message : node.api().latest(scope, null, 1_000)) {
            text.append(message.text())
                    .append(message.account())
                    .append(message.peerName())
                    .append(message.peer())
                    .append(message.members());
        }
        text.append(node.outbox.entries(scope, "", 1_000));
        text.append(node.api().drops(scope));
        return text.toString();
    }

    private void askForOthers(List<Planted> all) throws ProviderException {
        for (Planted each : all) {
            for (Planted other : all) {
                if (each == other) {
                    continue;
                }
                refused("recipient.unknown", () -> node.api().send(each.scope, null, other.mark + " contact", "x"));
                refused("recipient.unknown", () -> node.api().send(each.scope, null, other.mark + " self", "x"));
                refused("account.unknown", () -> node.api().contacts(each.scope, other.mark + " self"));
                refused("account.unknown", () -> node.api().contacts(each.scope, other.self.npub()));
            }
        }
        // Another circle's contact is a stranger here: nobody here knows where she can be reached.
        Planted family = all.get(1);
        Planted work = all.get(3);
        relays.relay(work.relay).circles.clear();
        node.api().send(family.scope, null, Nip19.npub(work.friend), "who are you");
        time.run(Duration.ofMinutes(2));
        Ledger.Entry entry = node.outbox.entries(family.scope, "", 1).get(0);
        assertEquals("recipient.no-relays", entry.reason());
        assertFalse(relays.relay(work.relay).circles.contains(family.scope.circle()));
    }

    private List<String> texts(Scope scope) {
        return texts(node, scope);
    }

    private static List<String> texts(SimulatedNode node, Scope scope) {
        return node.calm(() -> node.api().latest(scope, null, 1_000)).stream()
                .map(Message::text)
                .toList();
    }

    // ---- names ----

    @Test
    void theDefaultCircleIsThereAndStays() throws Exception {
        assertEquals(Scope.DEFAULT, circles.find(null));
        assertEquals(Scope.DEFAULT, circles.find("default"));
        refused("circle.default", () -> circles.delete("default"));
        circles.rename("default", "Home");
        assertEquals(Scope.DEFAULT, circles.find("Home"));
        assertEquals(Scope.DEFAULT, circles.find("default"), "the old name always works");
        refused("circle.default", () -> circles.delete("Home"));
        refused("circle.name-taken", () -> circles.create(named("DEFAULT")));
        assertEquals(
                List.of("Home"),
                circles.all().stream().map(Circles.Summary::name).toList());
    }

    @Test
    void namesAreCheckedAndKeptApartAndChangeWithoutMovingAnything() throws Exception {
        Circles.Summary family = circles.create(named("Cafe\u0301"));
        assertEquals("Caf\u00e9", family.name());
        assertEquals(family.scope(), circles.find("Caf\u00e9"));
        assertEquals(family.scope(), circles.find("Cafe\u0301"));
        for (String bad : List.of("", " x", "a\nb", "x".repeat(65), "npub1" + "q".repeat(58))) {
            refused("circle.bad-name", () -> circles.create(named(bad)));
        }
        refused("circle.name-taken", () -> circles.create(named("CAF\u00c9")));
        refused("circle.unknown", () -> circles.find("caf\u00c9"));
        refused("circle.unknown", () -> circles.rename("Work", "x"));
        refused("circle.bad-description", () -> circles.create(new Draft("d", "a\nb", List.of(), List.of(), 0)));
        refused("relay.bad-url", () -> circles.create(new Draft("d", "", List.of("http://x"), List.of(), 0)));
        refused(
                "file-server.bad-url",
                () -> circles.create(new Draft("d", "", List.of(), List.of("http://x.example"), 0)));
        refused("timer.out-of-range", () -> circles.create(new Draft("d", "", List.of(), List.of(), 3)));
        Account account = node.api().createAccount(family.scope(), "Ana", null);
        circles.rename("Caf\u00e9", "caf\u00c9");
        assertEquals("caf\u00c9", circles.all().get(1).name(), "its own name in other capitals is free");
        assertEquals(
                account.pubkey(), node.api().accounts(family.scope()).get(0).pubkey());
        assertFalse(family.scope().circle().toLowerCase(Locale.ROOT).contains("caf"));
    }

    @Test
    void aCircleBringsItsRelaysAndItsTimer() throws Exception {
        Circles.Summary family = circles.create(new Draft(
                "Family",
                "",
                List.of("WSS://Relay.Example:443/", "ws://10.0.0.5:7470"),
                List.of("HTTPS://Files.Example/"),
                60));
        assertEquals(List.of(URI.create("https://files.example")), family.fileServers());
        assertEquals(null, node.named.get(family.scope()), "nobody is there who needs it");
        Account ana = node.api().createAccount(family.scope(), "Ana", null);
        assertEquals(List.of(URI.create("wss://relay.example"), URI.create("ws://10.0.0.5:7470")), ana.relays());
        assertEquals(Set.of("wss://relay.example", "ws://10.0.0.5:7470"), node.named.get(family.scope()));
        assertEquals(null, node.named.get(Scope.DEFAULT));
        String to = Nip19.npub(PublicKey.ofHex("01".repeat(32)));
        assertEquals(60, node.api().timer(family.scope(), null, List.of(to), null));
        assertTrue(node.api().send(family.scope(), null, to, "soon gone").expires() > 0);
        node.api().timer(family.scope(), null, List.of(to), Duration.ZERO);
        assertEquals(0, node.api().timer(family.scope(), null, List.of(to), null), "never is more than nothing said");
        assertEquals(0, node.api().send(family.scope(), null, to, "stays").expires());
    }

    @Test
    void aKeyIsInOneCircleOnly() throws Exception {
        byte[] secret = HexFormat.of().parseHex("01".repeat(32));
        SimulatedNode real = new SimulatedNode(
                time,
                relays,
                OWN,
                new RealKeys(new BouncyCastleSecp256k1(), Seeds.secureRandom("circles")),
                random -> new OpenEnvelope(time.clock(), time.random()),
                true);
        Scope family = real.messenger.create(named("Family")).scope();
        char[] key = Nip19.nsec(secret).toCharArray();
        real.api().importAccount(family, "Ana", key.clone(), null, null);
        refused("identity.known", () -> real.api().importAccount(Scope.DEFAULT, "Ana", key.clone(), null, null));
        real.kill();
        real.boot();
        refused("identity.known", () -> real.api().importAccount(Scope.DEFAULT, "Ana", key.clone(), null, null));
        real.messenger.delete("Family");
        real.api().importAccount(Scope.DEFAULT, "Ana", key, null, null);
    }

    // ---- ending ----

    @Test
    void ofACircleThatIsOverNothingIsLeft() throws Exception {
        Planted kept = new Planted(this, "default");
        Planted over = new Planted(this, "Work");
        node.api().send(over.scope, null, over.mark + " contact", over.mark + " out");
        time.run(MINUTE);
        assertEquals(List.of(), circles.delete("Work"));
        over.friendsNode.api().send(over.friends, null, over.self.npub(), over.mark + " late");
        time.run(MINUTE);

        assertEquals(
                Set.of("circle:default", "node:circles"), node.records.texts().keySet());
        for (String text : node.records.texts().values()) {
            over.canaries().forEach(canary -> assertFalse(text.contains(canary), canary));
            assertFalse(text.contains(over.scope.circle()));
        }
        assertEquals(List.of(kept.self.pubkey()), node.keys().list());
        assertEquals(Set.of(Scope.DEFAULT), node.named.keySet());
        assertTrue(relays.seenBy(node.life).health().isEmpty());
        refused("circle.unknown", () -> circles.find("Work"));
        refused("circle.unknown", () -> node.api().accounts(over.scope));
        refused("circle.unknown", () -> node.api().createAccount(over.scope, "x", null));
        refused("circle.unknown", () -> node.outbox.totals(over.scope));
        assertThrows(IllegalArgumentException.class, () -> node.api().onMessage(over.scope, message -> {}));
        node.kill();
        node.boot();
        time.run(MINUTE);
        assertEquals(1, node.messenger.all().size());
        Scope again = node.messenger.create(named("Work")).scope();
        assertNotEquals(over.scope, again, "an id never comes back");
        assertEquals(List.of(), node.api().accounts(again));
        assertEquals(
                kept.self.pubkey(), node.api().accounts(Scope.DEFAULT).get(0).pubkey());
    }

    @Test
    void whatWasBegunIsFinishedWhateverHappens() throws Exception {
        int crashes = 0;
        int refusals = 0;
        for (int run = 0; run < 200; run++) {
            VirtualTime ours = new VirtualTime(
                    new SplittableRandom(Seeds.generator("ending " + run).nextLong()));
            SimulatedNode one = new SimulatedNode(ours, new SimulatedRelays(ours), "", true);
            one.create("Ana");
            Scope scope = one.messenger.create(named("Work")).scope();
            one.api().createAccount(scope, "Boss", null);
            ours.run(Duration.ofSeconds(3));
            one.faults.crashAfter = 0.1;
            one.faults.crashBefore = 0.1;
            one.faults.unavailable = 0.1;
            one.faults.twice = 0.1;
            one.faults.unsure = 0.1;
            boolean begun;
            try {
                one.messenger.delete("Work");
                begun = true;
            } catch (ProviderException e) {
                refusals++;
                begun = !one.calm(() -> one.messenger.all()).stream()
                        .anyMatch(circle -> circle.scope().equals(scope));
            } catch (SimulatedCrash e) {
                crashes++;
                one.kill();
                begun = one.records.texts().values().stream().noneMatch(text -> text.contains("Work"))
                        || left(one, scope);
            }
            one.faults.crashAfter = 0;
            one.faults.crashBefore = 0;
            one.faults.unavailable = 0;
            one.faults.unsure = 0;
            if (!one.life.alive()) {
                one.boot();
            }
            ours.run(Duration.ofSeconds(10));
            boolean there = one.messenger.all().size() == 2;
            assertEquals(!begun, there, "run " + run);
            assertEquals(there ? 2 : 1, one.keys().list().size(), "run " + run);
            assertEquals(there, one.records.texts().containsKey("circle:" + scope.circle()), "run " + run);
            one.stop();
        }
        System.out.println("circles: 200 ends, " + crashes + " crashes and " + refusals + " refusals in them");
        assertTrue(crashes > 20 && refusals > 5);
    }

    @Test
    void aCircleIsMadeWholeOrNotAtAll() throws Exception {
        int there = 0;
        for (int run = 0; run < 200; run++) {
            VirtualTime ours = new VirtualTime(
                    new SplittableRandom(Seeds.generator("making " + run).nextLong()));
            SimulatedNode one = new SimulatedNode(ours, new SimulatedRelays(ours), "", true);
            ours.run(Duration.ofSeconds(3));
            one.faults.crashAfter = 0.15;
            one.faults.crashBefore = 0.15;
            one.faults.unavailable = 0.1;
            one.faults.unsure = 0.1;
            boolean made = false;
            try {
                one.messenger.create(named("Work"));
                made = true;
            } catch (ProviderException e) {
                assertEquals("storage.io-error", e.code());
            } catch (SimulatedCrash e) {
                one.kill();
            }
            one.faults.crashAfter = 0;
            one.faults.crashBefore = 0;
            one.faults.unavailable = 0;
            one.faults.unsure = 0;
            if (!one.life.alive()) {
                one.boot();
            }
            ours.run(Duration.ofSeconds(10));
            List<String> names =
                    one.messenger.all().stream().map(Circles.Summary::name).toList();
            assertTrue(
                    names.equals(List.of("default", "Work")) || !made && names.equals(List.of("default")),
                    "run " + run);
            long spaces = one.records.texts().keySet().stream()
                    .filter(space -> space.startsWith("circle:"))
                    .count();
            assertEquals(names.size(), spaces, "run " + run);
            one.kill();
            one.boot();
            ours.run(Duration.ofSeconds(3));
            assertEquals(names.size(), one.messenger.all().size(), "run " + run);
            there += names.size() - 1;
            one.stop();
        }
        System.out.println("circles: " + there + " of 200 made under crashes");
        assertTrue(there > 10 && there < 190);
    }

    private static boolean left(SimulatedNode node, Scope scope) throws ProviderException {
        return new Registry(node.records.observed())
                .all().stream()
                        .noneMatch(entry -> entry.scope().equals(scope) && entry.stage() == Registry.Stage.THERE);
    }

    // ---- invitations ----

    @Test
    void anInvitationSaysWhereACircleMeetsAndNoMore() throws Exception {
        Planted family = new Planted(this, "Family");
        Circles.Invitation invitation = circles.invite("Family", null);
        assertEquals(invitation, circles.read(invitation.link()));
        assertEquals(
                List.of("Family", "canary-family about", "canary-family self", family.self.npub()),
                List.of(invitation.circle(), invitation.description(), invitation.from(), invitation.inviter()));
        assertEquals(List.of(URI.create(family.relay)), invitation.relays());
        assertEquals(List.of(URI.create("https://files.canary-family.example")), invitation.fileServers());
        assertFalse(invitation.link().contains(family.scope.circle()));
        assertFalse(invitation.link().contains("nsec"));
        String link = invitation.link();
        for (String bad : List.of(
                "",
                "https://example.org",
                "parley:circle?",
                "parley:circle?name=x",
                "parley:circle?name=x&by="
                        + Nip19.nsec(new byte[] {
                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                            1
                        }),
                link + "&name=y",
                link + "&relay=http%3A%2F%2Fx",
                link + "&relay=ws%3A%2F%2Fa&relay=ws%3A%2F%2Fb&relay=ws%3A%2F%2Fc",
                link + "&file=ftp%3A%2F%2Fx",
                link + "&about=a%0Ab",
                link + "&about=%zz",
                link + "&x=" + "y".repeat(24_000))) {
            refused("invitation.bad", () -> circles.read(bad));
        }
        assertEquals(invitation.circle(), circles.read(link + "&icon=later").circle());
        refused("invitation.own", () -> circles.join(link, "Again", "me", null, null));
        assertEquals(2, circles.all().size(), "a refusal leaves nothing");
    }

    @Test
    void whoJoinsMeetsTheInviterAtRelaysThatMayNotBePrivate() throws Exception {
        Planted family = new Planted(this, "Family");
        String link = circles.invite("Family", null).link();
        SimulatedNode joiner = new SimulatedNode(time, relays, OWN, true);
        refused("contact.name-taken", () -> joiner.messenger.join(link, null, "Kid", "Kid", null));
        assertEquals(1, joiner.messenger.all().size());
        assertEquals(0, joiner.keys().list().size(), "a refusal leaves no key");

        Circles.Joined joined = joiner.messenger.join(link, null, "Kid", "Mum", null);
        Scope scope = joined.circle().scope();
        assertEquals("Family", joined.circle().name());
        assertEquals(family.self.pubkey(), joined.contact().pubkey());
        assertEquals(List.of(URI.create(family.relay)), joined.account().relays());
        assertEquals(null, joiner.named.get(scope), "what somebody else offers is not named by the user");
        joiner.api().send(scope, null, "Mum", "I am here");
        time.run(MINUTE);
        joiner.kill();
        joiner.boot();
        time.run(MINUTE);
        assertTrue(texts(family.scope).contains("I am here"));
        node.api().send(family.scope, null, joined.account().npub(), "Welcome");
        time.run(MINUTE);
        assertTrue(joiner.calm(() -> joiner.api().latest(scope, null, 10)).stream()
                .anyMatch(message -> message.text().equals("Welcome")));
        assertEquals(
                List.of(URI.create(family.relay)),
                joiner.api().accounts(scope).get(0).relays(),
                "an offered relay is not taken for the node's own after a restart");
        assertEquals(null, joiner.named.get(scope), "nor for one that the user named");

        joiner.api().addRelay(scope, null, family.relay);
        assertEquals(Set.of(family.relay), joiner.named.get(scope), "until she does");
        Circles.Joined other = joiner.messenger.join(link, "Other", "Kid", "Mum", List.of("ws://10.0.0.7:7470"));
        assertEquals(
                Set.of("ws://10.0.0.7:7470"), joiner.named.get(other.circle().scope()));
    }
}
