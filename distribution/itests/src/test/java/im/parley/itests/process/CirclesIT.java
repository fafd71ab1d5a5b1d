package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import im.parley.itests.fault.FaultProxy;
import im.parley.itests.fault.FaultProxy.Direction;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/**
 * Four circles on each of two nodes of the real distribution, each circle with a way of its own to the relay, on which
 * every frame is read; every text of a circle has its mark.
 */
public class CirclesIT {
    private static final List<String> NAMES = List.of("default", "Family", "Friends", "Work");
    private static final String PASSWORD = "a sentence of my own";

    private final Map<String, Meeting> meetings = new LinkedHashMap<>();
    private DistributionNode relay;
    private DistributionNode here;
    private DistributionNode there;

    /** A circle on both nodes and the way on which they meet. */
    private static final class Meeting {
        final String circle;
        final String mark;
        final FaultProxy way;
        final Queue<String> frames = new ConcurrentLinkedQueue<>();
        String self = "";
        String friend = "";

        Meeting(String circle, FaultProxy way) {
            this.circle = circle;
            this.mark = "canary" + circle.toLowerCase(java.util.Locale.ROOT);
            this.way = way;
            for (Direction direction : Direction.values()) {
                way.swallow(direction, frame -> {
                    frames.add(frame);
                    return false;
                });
            }
        }

        /** What must be nowhere else. */
        List<String> canaries() {
            return List.of(mark, self, friend, "127.0.0.1:" + way.port());
        }
    }

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("relay");
        List<String> options = new ArrayList<>(List.of("--only", "infrastructure"));
        for (String name : NAMES) {
            Meeting meeting = new Meeting(name, new FaultProxy("127.0.0.1", relay.port()));
            meetings.put(name, meeting);
            options.addAll(List.of("--relay-url", meeting.way.uri().toString()));
        }
        relay.start(options.toArray(String[]::new));
        here = DistributionNode.create("here");
        here.start("--only", "personal");
        there = DistributionNode.create("there");
        there.start("--only", "personal");
    }

    @After
    public void stop() throws Exception {
        for (AutoCloseable each : new AutoCloseable[] {here, there, relay}) {
            if (each != null) {
                each.close();
            }
        }
        for (Meeting each : meetings.values()) {
            each.way.close();
        }
    }

    /** In both circles of that name; the last one by an invitation. */
    private void populate(Meeting meeting) throws Exception {
        String way = meeting.way.uri().toString();
        boolean first = meeting.circle.equals("default");
        if (!first) {
            here.json("circle", "new", meeting.circle, "--description", meeting.mark + " all", "--relay", way);
        }
        meeting.self = in(here, meeting, "identity", "new", meeting.mark + "self")
                .path("pubkey")
                .asText();
        if (first) {
            in(here, meeting, "relay", "add", way);
        }
        if (meeting.circle.equals("Work")) {
            JsonNode invitation = here.json("circle", "invite", "Work");
            assertEquals(way, invitation.path("relays").get(0).asText());
            String link = invitation.path("link").asText();
            DistributionNode.Result alone = there.run("", "circle", "join", link, "--identity", "x");
            assertTrue(alone.err(), alone.err().contains("cli.not-confirmed"));
            JsonNode joined = there.json(
                    "circle",
                    "join",
                    link,
                    "--identity",
                    meeting.mark + "friend",
                    "--contact",
                    meeting.mark + "known",
                    // The invitation's own address is private, so it is hers to name.
                    "--relay",
                    way);
            meeting.friend = joined.path("account").path("pubkey").asText();
        } else {
            if (!first) {
                there.json("circle", "new", meeting.circle, "--relay", way);
            }
            meeting.friend = in(there, meeting, "identity", "new", meeting.mark + "friend")
                    .path("pubkey")
                    .asText();
            if (first) {
                in(there, meeting, "relay", "add", way);
            }
            in(there, meeting, "contact", "add", meeting.mark + "known", address(here, meeting));
        }
        in(here, meeting, "contact", "add", meeting.mark + "contact", address(there, meeting));
    }

    private static String address(DistributionNode node, Meeting meeting) throws Exception {
        return in(node, meeting, "identity", "list")
                .path("accounts")
                .get(0)
                .path("nprofile")
                .asText();
    }

    private static JsonNode in(DistributionNode node, Meeting meeting, String... words) throws Exception {
        List<String> line = new ArrayList<>(List.of(words));
        if (!meeting.circle.equals("default")) {
            line.addAll(List.of("--circle", meeting.circle));
        }
        return node.json(line.get(0), line.subList(1, line.size()).toArray(String[]::new));
    }

    private static Set<String> received(DistributionNode node, Meeting meeting) throws Exception {
        Set<String> texts = new TreeSet<>();
        for (JsonNode message : in(node, meeting, "inbox").path("messages")) {
            if (!message.path("outgoing").asBoolean()) {
                texts.add(message.path("text").asText());
            }
        }
        return texts;
    }

    @Test
    public void nothingCrossesAndOfACircleThatIsOverNothingIsLeft() throws Exception {
        for (Meeting each : meetings.values()) {
            populate(each);
        }
        for (Meeting each : meetings.values()) {
            in(here, each, "send", each.mark + "contact", each.mark + " goes out");
            in(there, each, "send", each.mark + "known", each.mark + " comes in");
        }
        for (Meeting each : meetings.values()) {
            Waiting.until(
                    "both sides of " + each.circle,
                    () -> received(here, each).equals(Set.of(each.mark + " comes in"))
                            && received(there, each).equals(Set.of(each.mark + " goes out")));
        }
        here.kill();
        here.start("--only", "personal");
        for (Meeting each : meetings.values()) {
            assertEquals(Set.of(each.mark + " comes in"), received(here, each));
            in(there, each, "send", each.mark + "known", each.mark + " comes late");
            Waiting.until(
                    each.circle + " came back with the node",
                    () -> received(here, each).size() == 2);
        }

        int looks = connections() + answers() + addresses() + files();
        System.out.println("circles: " + looks + " looks, nothing crossed");
        sums();
        aKeyIsInOneCircle();
        end();
    }

    /** What went over each way belongs to its circle. */
    private int connections() {
        int looks = 0;
        for (Meeting way : meetings.values()) {
            Set<String> authors = new TreeSet<>();
            String all = String.join("\n", way.frames);
            for (String frame : way.frames) {
                if (frame.startsWith("[\"AUTH\",{")) {
                    int at = frame.indexOf("\"pubkey\":\"") + 10;
                    authors.add(frame.substring(at, at + 64));
                }
            }
            assertEquals("who authenticated in " + way.circle, new TreeSet<>(Set.of(way.self, way.friend)), authors);
            for (Meeting other : meetings.values()) {
                if (other != way) {
                    for (String canary : other.canaries()) {
                        looks++;
                        assertFalse(canary + " on the way of " + way.circle, all.contains(canary));
                    }
                }
            }
            assertTrue("frames were read", all.contains(way.self) && all.contains("127.0.0.1:" + way.way.port()));
            assertFalse("no name travels", all.contains(way.mark));
        }
        return looks;
    }

    /** What the node answers of each circle belongs to it. */
    private int answers() throws Exception {
        int looks = 0;
        try (ControlSocket control = ControlSocket.open(here)) {
            for (Meeting asked : meetings.values()) {
                StringBuilder all = new StringBuilder();
                for (String method : List.of(
                        "identity.list", "contact.list", "relay.list", "message.list", "ledger.get", "drops.list")) {
                    ObjectNode params = Peers.arguments();
                    if (!asked.circle.equals("default")) {
                        params.put("circle", asked.circle);
                    }
                    all.append(control.call(method, params)).append('\n');
                }
                String answers = all.toString();
                for (Meeting other : meetings.values()) {
                    for (String canary : other.canaries()) {
                        looks++;
                        assertEquals(
                                canary + " in answers of " + asked.circle, other == asked, answers.contains(canary));
                    }
                    if (other != asked) {
                        assertEquals(
                                "recipient.unknown",
                                code(here.run(
                                        "",
                                        "send",
                                        "--circle",
                                        asked.circle,
                                        other.mark + "contact",
                                        "hello",
                                        "--json")));
                    }
                }
            }
        }
        return looks;
    }

    /** Each circle reached out to its own way only. */
    private int addresses() throws Exception {
        Map<String, Set<Integer>> ports = new LinkedHashMap<>();
        for (JsonNode line : here.egressLog()) {
            ports.computeIfAbsent(line.path("scope").asText(), unused -> new TreeSet<>())
                    .add(line.path("port").asInt());
        }
        Map<String, Set<Integer>> expected = new LinkedHashMap<>();
        for (JsonNode circle : here.json("circle", "list").path("circles")) {
            expected.put(
                    circle.path("id").asText(),
                    Set.of(meetings.get(circle.path("name").asText()).way.port()));
        }
        assertEquals(expected, ports);
        return ports.size();
    }

    /** No name, text or address of a circle lies open on the disk, but for the addresses in the egress log. */
    private int files() throws Exception {
        Canaries canaries = new Canaries();
        meetings.values().forEach(each -> canaries.text(each.circle, each.mark));
        List<File> files = here.files();
        assertEquals(List.of(), canaries.search(files));
        return files.size();
    }

    private void sums() throws Exception {
        JsonNode circles = here.json("circle", "list").path("circles");
        List<String> names = new ArrayList<>();
        for (JsonNode circle : circles) {
            names.add(circle.path("name").asText());
            assertEquals(1, circle.path("identities").asInt());
            assertEquals(1, circle.path("inboxRelays").asInt());
            assertEquals(3, circle.path("messages").asInt());
            assertEquals(1, circle.path("sent").asInt());
            assertTrue(circle.path("exact").asBoolean());
            assertEquals(1, DistributionNode.arrived(circle.path("byState")));
        }
        assertEquals(NAMES, names);
        assertEquals(1, here.json("status").path("ledger").path("sent").asInt());
        String plain = here.run("", "circle", "invite", "Family", "--qr").out();
        assertTrue(plain, plain.startsWith("parley:circle?name=Family&") && plain.contains("\u2588\u2588\u2588"));
    }

    private void aKeyIsInOneCircle() throws Exception {
        Meeting work = meetings.get("Work");
        String sealed = here.run(
                        PASSWORD + "\n",
                        "identity",
                        "export",
                        work.mark + "self",
                        "--circle",
                        "Work",
                        "--stdin",
                        "--json")
                .out();
        String key = Peers.JSON.readTree(sealed).path("ncryptsec").asText();
        DistributionNode.Result again = here.run(
                key + "\n" + PASSWORD + "\n", "identity", "import", "again", "--circle", "Family", "--stdin", "--json");
        assertEquals("identity.known", code(again));
    }

    private void end() throws Exception {
        Meeting work = meetings.get("Work");
        int secrets = secrets();
        assertEquals("circle.not-confirmed", code(here.run("", "circle", "delete", "Work", "--yes", "work", "--json")));
        assertEquals("circle.default", code(here.run("", "circle", "delete", "default", "--yes", "default", "--json")));
        here.json("circle", "delete", "Work", "--yes", "Work");
        assertEquals("the keys of the circle and of its identity are gone", secrets - 2, secrets());
        assertEquals("circle.unknown", code(here.run("", "inbox", "--circle", "Work", "--json")));

        work.frames.clear();
        there.json("send", "--circle", "Work", work.mark + "known", work.mark + " too late");
        Waiting.until(
                "it is at the relay",
                () -> DistributionNode.arrived(
                                there.json("ledger", "--circle", "Work").path("byState"))
                        == 3);
        for (String frame : work.frames) {
            assertFalse(
                    "nobody of the circle is connected here",
                    frame.contains("[\"EVENT\",\"") && frame.contains(work.self));
        }
        for (JsonNode line : here.egressLog()) {
            assertNotEquals(
                    "the egress log forgot where it met",
                    work.way.port(),
                    line.path("port").asInt());
        }
        Canaries canaries = new Canaries()
                .text("mark", work.mark)
                .text("identity", work.self)
                .text("friend", work.friend)
                .text("way", "127.0.0.1:" + work.way.port());
        assertEquals(List.of(), canaries.search(here.files()));
        // Buffers of the process are used again and never wiped, but nothing of the circle itself is held any more.
        for (String type : List.of(
                "im.parley.messenger.internal.Circle",
                "im.parley.messenger.internal.Directory",
                "im.parley.outbox.internal.CircleOutbox")) {
            Waiting.until(type + " of the circle is gone", () -> alive(type) == 3);
        }

        here.json("stop");
        here.start("--only", "personal");
        assertEquals(3, here.json("circle", "list").path("circles").size());
        here.json("circle", "new", "Work");
        assertEquals(
                0,
                here.json("identity", "list", "--circle", "Work")
                        .path("accounts")
                        .size());
        for (Meeting each : meetings.values()) {
            if (each != work) {
                assertEquals(2, received(here, each).size());
            }
        }
    }

    /** Objects of that class which something still holds. */
    private long alive(String type) throws Exception {
        Path histogram = here.base().resolve("histogram");
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(here.pid()),
                        "GC.class_histogram")
                .redirectErrorStream(true)
                .redirectOutput(histogram.toFile())
                .start();
        assertTrue(jcmd.waitFor(2, TimeUnit.MINUTES));
        for (String line : Files.readAllLines(histogram)) {
            String[] columns = line.strip().split("\\s+");
            if (columns.length >= 4 && columns[3].equals(type)) {
                return Long.parseLong(columns[1]);
            }
        }
        throw new AssertionError("no " + type + " at all");
    }

    private int secrets() throws Exception {
        try (Stream<Path> all = Files.walk(here.data().resolve("vault").resolve("secrets"))) {
            return (int) all.filter(Files::isRegularFile).count();
        }
    }

    private static String code(DistributionNode.Result result) throws Exception {
        return Peers.JSON.readTree(result.err()).path("error").path("code").asText();
    }
}
