package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GenerationTest {
    private static final DistributionLock LOCK = new DistributionLock(
            "1",
            "hash",
            List.of(
                    new DistributionLock.Jar("g:a:1", "a", "1.0", "sha-a", "bundles/a-1.jar", 20),
                    new DistributionLock.Jar("g:b:1", "b", "1.0", "sha-b", "bundles/b-1.jar", 30)),
            Map.of());

    private static Map<String, Feature> features(String base, String personal) throws Exception {
        Map<String, Feature> features = new LinkedHashMap<>();
        features.put("base", feature(base));
        features.put("personal", feature(personal));
        return features;
    }

    private static Feature feature(String rest) throws Exception {
        return Feature.parse(("{\"feature-resource-version\":\"1.0\"," + rest + "}").getBytes(StandardCharsets.UTF_8));
    }

    private static Map<String, Object> of(Map<String, Map<String, Object>> configurations, String pid) {
        return configurations.getOrDefault(pid, Map.of());
    }

    @Test
    void featuresAreJoined() throws Exception {
        Generation generation = Generation.of(
                LOCK,
                features(
                        "\"bundles\":[{\"id\":\"g:a:1\",\"start-level\":20}],"
                                + "\"configurations\":{\"control\":{\"ready\":[\"x\"],\"socket\":\"s\"},"
                                + "\"im.parley.slot~curve\":{\"parley.slot\":\"curve\",\"select\":[\"p~1\",\"p~2\"]}}",
                        "\"bundles\":[{\"id\":\"g:a:1\",\"start-level\":20},{\"id\":\"g:b:1\",\"start-level\":30}],"
                                + "\"configurations\":{\"control\":{\"ready\":[\"y\",\"x\"]}}"));
        assertEquals(List.of("base", "personal"), generation.features());
        assertEquals(
                List.of("a", "b"),
                generation.bundles().stream().map(Generation.BundleEntry::bsn).toList());
        assertEquals(
                List.of("x", "y"), of(generation.configurations(), "control").get("ready"));
        assertEquals(List.of("p~1", "p~2"), generation.slots().get("curve"));
        assertFalse(of(generation.configurations(), "im.parley.slot~curve").containsKey("select"), "one truth");
        assertEquals(
                List.of("p~1", "p~2"),
                of(generation.complete(), "im.parley.slot~curve").get("select"));
        assertEquals(generation, Generation.parse(generation.toJson()));
    }

    @Test
    void contradictingFeaturesAreRefused() throws Exception {
        Map<String, Feature> features =
                features("\"configurations\":{\"p\":{\"k\":1}}", "\"configurations\":{\"p\":{\"k\":2}}");
        LauncherException refused = assertThrows(LauncherException.class, () -> Generation.of(LOCK, features));
        assertEquals("distribution.invalid", refused.code());
        assertTrue(refused.why().contains("p k"), refused.why());
    }

    @Test
    void bundleThatTheDistributionLacksIsRefused() throws Exception {
        Map<String, Feature> features =
                features("\"bundles\":[{\"id\":\"g:c:1\",\"start-level\":20}]", "\"bundles\":[]");
        assertEquals(
                "distribution.invalid",
                assertThrows(LauncherException.class, () -> Generation.of(LOCK, features))
                        .code());
    }

    @Test
    void placeholdersAreResolvedEverywhereAndUnknownOnesRefused() throws Exception {
        Placeholders placeholders = new Placeholders(
                Map.of("parley.data", "/d", "parley.port.relay", "7470"),
                Map.of("parley.relay.urls", List.of("wss://a.example", "wss://b.example")));
        assertEquals(
                Map.of("urls", List.of("wss://a.example", "wss://b.example", "ws://127.0.0.1:7470")),
                placeholders.resolve(
                        "im.parley.relay",
                        Map.of("urls", List.of("${parley.relay.urls}", "ws://127.0.0.1:${parley.port.relay}"))));
        assertEquals(
                Map.of("a", "/d/x/d", "b", List.of("relay=127.0.0.1:7470"), "c", 7L),
                placeholders.resolve(
                        "pid",
                        Map.of(
                                "a",
                                "${parley.data}/x${parley.data}",
                                "b",
                                List.of("relay=127.0.0.1:${parley.port.relay}"),
                                "c",
                                7L)));
        for (String wrong : new String[] {"${parley.secret}", "${", "${parley.data"}) {
            LauncherException refused =
                    assertThrows(LauncherException.class, () -> placeholders.resolve("pid", Map.of("key", wrong)));
            assertEquals("config.invalid", refused.code());
            assertTrue(refused.why().contains("pid key"), refused.why());
        }
    }
}
