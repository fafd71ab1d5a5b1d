package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Test;

/** What the relay acknowledged is there after it was killed in the middle of writing. */
public class RelayCrashIT {
    private static final int CYCLES = Integer.getInteger("parley.crash.cycles", 6);
    private static final int IN_FLIGHT = 64;

    private DistributionNode relay;

    @After
    public void stop() throws Exception {
        if (relay != null) {
            relay.close();
        }
    }

    @Test
    public void DB_01_RL_29_noAcknowledgedEventIsLostByKillingTheRelay() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of RelayCrashIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        relay = DistributionNode.create("crash");
        TestKey author = new TestKey();
        Set<String> acknowledged = new HashSet<>();
        int number = 0;
        for (int cycle = 0; cycle < CYCLES; cycle++) {
            relay.start("--only", "infrastructure");
            int before = acknowledged.size();
            int killAfter = before + 50 + random.nextInt(400);
            try (RelaySocket socket = RelaySocket.open(relay.relayUrl())) {
                int waiting = 0;
                boolean alive = true;
                while (alive) {
                    while (waiting < IN_FLIGHT) {
                        socket.sendDespiteHangUp("[\"EVENT\"," + author.sign(1, List.of(), "event " + number++) + "]");
                        waiting++;
                    }
                    JsonNode ok = socket.nextWithin(2, TimeUnit.SECONDS);
                    if (ok == null) {
                        break;
                    }
                    if (ok.get(0).asText().equals("OK")) {
                        assertTrue(ok.toString(), ok.get(2).asBoolean());
                        acknowledged.add(ok.get(1).asText());
                        waiting--;
                    }
                    if (acknowledged.size() >= killAfter) {
                        relay.kill();
                        for (JsonNode late : socket.drain()) {
                            if (late.get(0).asText().equals("OK") && late.get(2).asBoolean()) {
                                acknowledged.add(late.get(1).asText());
                            }
                        }
                        alive = false;
                    }
                }
            }
        }
        relay.start("--only", "infrastructure");
        Set<String> stored = new HashSet<>();
        try (RelaySocket socket = RelaySocket.open(relay.relayUrl())) {
            List<String> ids = new ArrayList<>(acknowledged);
            for (int from = 0; from < ids.size(); from += 200) {
                String list = String.join("\",\"", ids.subList(from, Math.min(ids.size(), from + 200)));
                RelaySocket.Answer answer = socket.request("check", "{\"ids\":[\"" + list + "\"]}");
                assertEquals("", answer.closed());
                answer.events().forEach(event -> stored.add(event.get("id").asText()));
            }
        }
        acknowledged.removeAll(stored);
        assertEquals("acknowledged and lost", Set.of(), acknowledged);
        System.out.println(CYCLES + " kills, " + stored.size() + " events acknowledged, 0 lost");
    }
}
