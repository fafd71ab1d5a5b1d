package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.testkit.PeerData;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class Nip19Test {
    private static final String NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";

    private static List<String> relays(JsonNode data) {
        List<String> relays = new ArrayList<>();
        data.path("relays").forEach(relay -> relays.add(relay.asText()));
        return relays;
    }

    @Test
    void peersWriteTheSameEntities() throws Exception {
        JsonNode rows = PeerData.json("nip19.json");
        assertTrue(rows.size() >= 5, rows.size() + " rows");
        for (JsonNode row : rows) {
            PublicKey pubkey = PublicKey.ofHex(row.get("pubkey").asText());
            EventId id = EventId.ofHex(row.get("id").asText());
            assertEquals(row.get("npub").asText(), Nip19.npub(pubkey));
            assertEquals(
                    row.get("nsec").asText(),
                    Nip19.nsec(HexFormat.of().parseHex(row.get("secret").asText())));
            assertEquals(row.get("note").asText(), Nip19.note(id));
            Nip19.Profile profile =
                    (Nip19.Profile) Nip19.decode(row.get("nprofile").asText());
            assertEquals(new Nip19.Profile(pubkey, relays(row)), profile);
            Nip19.EventPointer event =
                    (Nip19.EventPointer) Nip19.decode(row.get("nevent").asText());
            assertEquals(id, event.id());
            assertEquals(pubkey, event.author().orElseThrow());
            assertEquals(row.get("kind").asInt(), event.kind().getAsInt());
            assertEquals(relays(row), event.relays());
            Nip19.AddressPointer address =
                    (Nip19.AddressPointer) Nip19.decode(row.get("naddr").asText());
            assertEquals(row.get("identifier").asText(), address.identifier());
            assertEquals(pubkey, address.pubkey());
        }
    }

    @Test
    void officialVectorsPass() throws Exception {
        int count = 0;
        for (JsonNode row : Vectors.json("nips/nip19.json")) {
            String text = row.get("encoded").asText();
            count++;
            if (row.path("invalid").asBoolean()) {
                refused("nip19", text, () -> Nip19.decode(text));
                continue;
            }
            JsonNode data = row.get("data");
            Nip19.Entity read = Nip19.decode(text);
            switch (row.get("type").asText()) {
                case "npub" -> {
                    assertEquals(new Nip19.Npub(PublicKey.ofHex(data.asText())), read);
                    assertEquals(text, Nip19.npub(PublicKey.ofHex(data.asText())));
                }
                case "nsec" -> {
                    byte[] secret = HexFormat.of().parseHex(data.asText());
                    assertArrayEquals(secret, ((Nip19.Nsec) read).secret());
                    assertEquals(text, Nip19.nsec(secret));
                }
                case "note" -> {
                    assertEquals(new Nip19.Note(EventId.ofHex(data.asText())), read);
                    assertEquals(text, Nip19.note(EventId.ofHex(data.asText())));
                }
                case "nprofile" -> {
                    PublicKey pubkey = PublicKey.ofHex(data.get("pubkey").asText());
                    assertEquals(new Nip19.Profile(pubkey, relays(data)), read);
                    assertEquals(read, Nip19.decode(Nip19.nprofile(pubkey, relays(data))));
                }
                case "nevent" -> {
                    Nip19.EventPointer pointer = (Nip19.EventPointer) read;
                    assertEquals(data.get("id").asText(), pointer.id().hex());
                    assertEquals(relays(data), pointer.relays());
                    assertEquals(
                            data.path("author").asText(""),
                            pointer.author().map(PublicKey::hex).orElse(""));
                    assertEquals(data.path("kind").asInt(-1), pointer.kind().orElse(-1));
                    assertEquals(read, Nip19.decode(Nip19.nevent(pointer)));
                }
                case "naddr" -> {
                    Nip19.AddressPointer pointer = (Nip19.AddressPointer) read;
                    assertEquals(data.get("identifier").asText(), pointer.identifier());
                    assertEquals(data.get("pubkey").asText(), pointer.pubkey().hex());
                    assertEquals(data.get("kind").asInt(), pointer.kind());
                    assertEquals(relays(data), pointer.relays());
                    assertEquals(read, Nip19.decode(Nip19.naddr(pointer)));
                }
                default -> throw new AssertionError("unknown type " + row.get("type"));
            }
        }
        System.out.println("NIP-19 vectors: " + count);
        assertTrue(count > 10);
    }

    @Test
    void theProfileOfTheNipIsWrittenLetterByLetter() {
        assertEquals(
                "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nz"
                        + "v9ejuumpv34kytnrdaksjlyr9p",
                Nip19.nprofile(
                        PublicKey.ofHex("3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"),
                        List.of("wss://r.x.com", "wss://djbas.sadkb.com")));
    }

    @Test
    void pointersRoundTrip() throws Exception {
        RandomGenerator random = Seeds.generator("Nip19Test");
        for (int i = 0; i < 2_000; i++) {
            List<String> relays = random.nextBoolean() ? List.of() : List.of("wss://a.example", "ws://[::1]:7");
            Nip19.EventPointer event = new Nip19.EventPointer(
                    EventId.of(Samples.bytes(random, 32)),
                    relays,
                    random.nextBoolean() ? Optional.empty() : Optional.of(Samples.key(i)),
                    random.nextBoolean() ? OptionalInt.empty() : OptionalInt.of(random.nextInt(65536)));
            assertEquals(event, Nip19.decode(Nip19.nevent(event)));
            Nip19.AddressPointer address =
                    new Nip19.AddressPointer(Samples.text(random, 4), Samples.key(i), random.nextInt(65536), relays);
            assertEquals(address, Nip19.decode(Nip19.naddr(address)));
        }
    }

    @Test
    void everyMistypedCharacterIsNoticed() {
        String alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        for (int at = 5; at < NPUB.length(); at++) {
            for (char c : alphabet.toCharArray()) {
                if (c != NPUB.charAt(at)) {
                    String typo = NPUB.substring(0, at) + c + NPUB.substring(at + 1);
                    refused("nip19", typo, () -> Nip19.decode(typo));
                }
            }
        }
    }

    @Test
    void oneCaseThroughout() throws Exception {
        assertEquals(Nip19.decode(NPUB), Nip19.decode(NPUB.toUpperCase(Locale.ROOT)));
        refused(
                "nip19",
                () -> Nip19.decode(NPUB.substring(0, 20) + NPUB.substring(20).toUpperCase(Locale.ROOT)));
        // U+017F lower-cases to s and U+212A to k: only ASCII may come this far.
        refused("nip19", () -> Nip19.decode(NPUB.replace('s', '\u017f')));
        refused("nip19", () -> Nip19.decode(NPUB.replace('k', '\u212a')));
    }

    @Test
    void textsThatAreNotBech32AreRefused() {
        for (String text : List.of(
                "",
                "1",
                "npub",
                "npub1",
                "npub1qqqqqq",
                "1qqqqqqqq",
                NPUB + " ",
                " " + NPUB,
                NPUB + "q",
                "nostr:" + NPUB,
                Bech32.encode("nsub", new byte[32]),
                Bech32.encode("npub", new byte[31]),
                Bech32.encode("npub", new byte[33]),
                Bech32.encode("nsec", new byte[0]),
                // bech32m of BIP-350
                "a1lqfn3a",
                "q".repeat(5001))) {
            refused("nip19", text, () -> Nip19.decode(text));
        }
    }

    @Test
    void truncatedAndMisshapenEntriesAreRefused() throws Exception {
        String key = "0020" + "ab".repeat(32);
        for (String hex : List.of(
                "",
                "00",
                "0020",
                "0020" + "ab".repeat(31),
                "001f" + "ab".repeat(31),
                "0120" + "61".repeat(32),
                key + "01",
                key + "0105" + "61",
                key + "0100",
                key + "0101ff",
                key + "0200",
                key + "0303000001",
                key + "030400010000")) {
            String text = Bech32.encode("nevent", HexFormat.of().parseHex(hex));
            refused("nip19", hex, () -> Nip19.decode(text));
        }
        String address = "0000" + "0220" + "ab".repeat(32);
        refused(
                "nip19",
                () -> Nip19.decode(Bech32.encode("naddr", HexFormat.of().parseHex(address))));
        refused(
                "nip19",
                () -> Nip19.decode(Bech32.encode(
                        "naddr", HexFormat.of().parseHex("0001ff" + address.substring(4) + "030400000001"))));
        assertEquals(
                new Nip19.AddressPointer("", PublicKey.ofHex("ab".repeat(32)), 1, List.of()),
                Nip19.decode(Bech32.encode("naddr", HexFormat.of().parseHex(address + "030400000001"))));
        // Any order, unknown types passed over, the first of a type counts.
        assertEquals(
                new Nip19.EventPointer(
                        EventId.ofHex("ab".repeat(32)), List.of("a"), Optional.empty(), OptionalInt.of(7)),
                Nip19.decode(Bech32.encode(
                        "nevent",
                        HexFormat.of()
                                .parseHex("0304000000070101617700" + "fe01ff" + key + "0020" + "cd".repeat(32)))));
    }

    @Test
    void uriNeverCarriesASecret() throws Exception {
        assertEquals(Nip19.decode(NPUB), Nip19.decodeUri("nostr:" + NPUB));
        refused("nip19", () -> Nip19.decodeUri("nostr:" + Nip19.nsec(new byte[32])));
        refused("nip19", () -> Nip19.decodeUri(NPUB));
    }

    @Test
    void secretStaysOutOfTexts() throws Exception {
        Nip19.Nsec nsec = (Nip19.Nsec) Nip19.decode(Nip19.nsec(HexFormat.of().parseHex("cd".repeat(32))));
        assertFalse(nsec.toString().contains("cd"));
        nsec.clear();
        assertArrayEquals(new byte[32], nsec.secret());
        assertThrows(IllegalArgumentException.class, () -> Nip19.nsec(new byte[31]));
    }

    @Test
    void whatCouldNotBeReadIsNotWritten() {
        List<String> many = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            many.add("wss://" + "x".repeat(200));
        }
        assertThrows(IllegalArgumentException.class, () -> Nip19.nprofile(Samples.key(1), many));
        assertThrows(IllegalArgumentException.class, () -> Nip19.nprofile(Samples.key(1), List.of("x".repeat(256))));
        assertThrows(IllegalArgumentException.class, () -> Nip19.nprofile(Samples.key(1), List.of("wss://é")));
    }
}
