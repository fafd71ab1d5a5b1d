package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.messenger.Messenger.Account;
import im.parley.outbox.simulation.OpenEnvelope;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Keys that come to an identity and leave it. */
class AccountKeysTest {
    private static final Scope SCOPE = Scope.DEFAULT;
    private static final byte[] SECRET = HexFormat.of().parseHex("01".repeat(32));

    private final Secp256k1 curve = new BouncyCastleSecp256k1();
    private final VirtualTime time = new VirtualTime(Seeds.generator("account keys"));
    private final RealKeys keys = new RealKeys(curve, Seeds.secureRandom("account keys"));
    private final SimulatedNode node = new SimulatedNode(
            time,
            new SimulatedRelays(time),
            "ws://127.0.0.1:7470",
            keys,
            random -> new OpenEnvelope(time.clock(), time.random()),
            false);

    private Account bring(String name, String passphrase) throws ProviderException {
        return node.api().importAccount(SCOPE, name, Nip19.nsec(SECRET).toCharArray(), null, passphrase.toCharArray());
    }

    private static void refused(String code, Executable call) {
        assertEquals(code, assertThrows(ProviderException.class, call).code());
    }

    @Test
    void anImportThatIsRefusedChangesNothing() throws Exception {
        Account alice = bring("Alice", "the first one");
        refused("identity.known", () -> bring("Again", "the second one"));
        assertEquals(Map.of(alice.pubkey(), "the first one"), keys.passphrases);
        assertEquals(List.of(alice), node.api().accounts(SCOPE));
        Account bob = node.api().createAccount(SCOPE, "Bob", null);
        refused("identity.name-taken", () -> bring("Bob", "the third one"));
        assertEquals(Map.of(alice.pubkey(), "the first one"), keys.passphrases);
        assertEquals(List.of(alice, bob), node.api().accounts(SCOPE));
    }

    @Test
    void whatLeavesIsWhatTheProviderHasSealed() throws Exception {
        Account alice = bring("Alice", "the first one");
        String password = "a sentence of my own";
        assertEquals(
                alice.pubkey().hex() + " under " + password,
                node.api().exportKey(SCOPE, "Alice", password.toCharArray()));
        refused("key.weak-passphrase", () -> node.api().exportKey(SCOPE, "Alice", "1234567890".toCharArray()));
    }
}
