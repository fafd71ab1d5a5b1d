package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.event.Event;
import im.parley.api.event.Signature;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KindsTest {
    private static Event event(int kind, List<List<String>> tags) {
        return new Event(Samples.id(1), Samples.key(1), 1, kind, tags, "", Signature.of(new byte[64]));
    }

    @Test
    void everyKindIsInExactlyOneClass() {
        int replaceable = 0;
        int ephemeral = 0;
        int addressable = 0;
        for (int kind = 0; kind <= 65535; kind++) {
            int classes = (Kinds.isRegular(kind) ? 1 : 0)
                    + (Kinds.isReplaceable(kind) ? 1 : 0)
                    + (Kinds.isEphemeral(kind) ? 1 : 0)
                    + (Kinds.isAddressable(kind) ? 1 : 0);
            assertEquals(1, classes, "kind " + kind);
            replaceable += Kinds.isReplaceable(kind) ? 1 : 0;
            ephemeral += Kinds.isEphemeral(kind) ? 1 : 0;
            addressable += Kinds.isAddressable(kind) ? 1 : 0;
        }
        assertEquals(10_002, replaceable);
        assertEquals(10_000, ephemeral);
        assertEquals(10_000, addressable);
        for (int regular : List.of(1, 2, 4, 44, 45, 62, 443, 1000, 9999, 40000, 65535)) {
            assertEquals(true, Kinds.isRegular(regular), "kind " + regular);
        }
    }

    @Test
    void addressOfAnEvent() {
        assertEquals(Optional.empty(), Kinds.address(event(1, List.of(List.of("d", "x")))));
        assertEquals(Optional.empty(), Kinds.address(event(21059, List.of())));
        assertEquals(
                "10050:" + Samples.key(1) + ":",
                Kinds.address(event(10050, List.of(List.of("d", "x"))))
                        .orElseThrow()
                        .coordinate());
        assertEquals(
                "30078:" + Samples.key(1) + ":a:b",
                Kinds.address(event(30078, List.of(List.of("e", "y"), List.of("d", "a:b"), List.of("d", "c"))))
                        .orElseThrow()
                        .coordinate());
        assertEquals("", Kinds.address(event(30078, List.of())).orElseThrow().identifier());
        assertEquals(
                "",
                Kinds.address(event(30078, List.of(List.of("d"), List.of("d", "x"))))
                        .orElseThrow()
                        .identifier());
    }

    @Test
    void coordinatesAreReadStrictly() throws Exception {
        String key = Samples.key(1).hex();
        for (String good :
                List.of("30078:" + key + ":", "30078:" + key + ":a:b é", "0:" + key + ":", "10002:" + key + ":")) {
            assertEquals(good, Address.parse(good).coordinate());
        }
        for (String bad : List.of(
                "",
                ":",
                "1:" + key + ":",
                "030078:" + key + ":",
                "30078:" + key,
                "30078:" + key.substring(1) + ":",
                "30078:" + key.toUpperCase(java.util.Locale.ROOT) + ":",
                "+0:" + key + ":",
                "0:" + key + ":x",
                "\u0663:" + key + ":",
                "300781:" + key + ":",
                "65536:" + key + ":")) {
            refused("address", bad, () -> Address.parse(bad));
        }
        refused("bad-unicode", () -> Address.parse("30078:" + key + ":\ud800"));
        assertThrows(IllegalArgumentException.class, () -> new Address(1, Samples.key(1), ""));
        assertThrows(IllegalArgumentException.class, () -> new Address(0, Samples.key(1), "x"));
    }
}
