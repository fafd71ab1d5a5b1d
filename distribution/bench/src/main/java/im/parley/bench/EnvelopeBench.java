package im.parley.bench;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Provider;
import im.parley.curve.bouncycastle.BouncyCastleCurve;
import im.parley.curve.secp256k1.NativeCurve;
import im.parley.envelope.Envelope;
import im.parley.envelope.internal.GiftEnvelope;
import im.parley.identity.local.LocalIdentityProvider;
import im.parley.protocol.EventHash;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Gift wraps and unwraps of one 100-character text message, per second of CPU time of one thread, through the real
 * envelope, identity provider and curve. {@code ./run envelope} prints them beside nostr-tools of the same minute.
 */
public final class EnvelopeBench {
    private static final int SENDERS = 64;
    /** Far more than the conversation keys that are kept, so that each unwrap meets a one-time key it has not seen. */
    private static final int WRAPS = 8_192;

    private static final long WARM_UP_SECONDS = 3;

    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    private final long seconds;

    private EnvelopeBench(long seconds) {
        this.seconds = seconds;
    }

    /** @param args seconds of CPU time per figure; 5 if absent */
    public static void main(String[] args) throws Exception {
        EnvelopeBench bench = new EnvelopeBench(args.length > 0 ? Long.parseLong(args[0]) : 5);
        bench.measure("native", new NativeCurve());
        bench.measure("bouncycastle", new BouncyCastleCurve());
    }

    private void measure(String name, Provider<Secp256k1> provider) throws Exception {
        SecureRandom random = new SecureRandom();
        Clock clock = Clock.systemUTC();
        BenchHost host = new BenchHost(clock, random);
        FixedSlot<Secp256k1> curve = new FixedSlot<>("curve", provider.open(host));
        IdentityProvider identities = new LocalIdentityProvider(curve).open(host);
        Envelope envelope = new GiftEnvelope(curve, clock, random);
        Signer bob = identities.open(identities.create(null), Set.of(Purpose.SEAL));
        Signer alice = identities.open(identities.create(null), Set.of(Purpose.SEAL));
        Rumor rumor = EventHash.rumor(
                alice.publicKey(),
                clock.instant().getEpochSecond(),
                14,
                List.of(List.of("p", bob.publicKey().hex())),
                "x".repeat(100));
        PublicKey to = bob.publicKey();
        double wraps = perCpuSecond(() -> envelope.wrap(alice, rumor, to, false, null)
                .toCompletableFuture()
                .join());

        // Several senders, so that no single conversation key serves every seal.
        Signer[] senders = new Signer[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            senders[i] = identities.open(identities.create(null), Set.of(Purpose.SEAL));
        }
        Event[] wrapped = new Event[WRAPS];
        for (int i = 0; i < WRAPS; i++) {
            Signer sender = senders[i % SENDERS];
            Rumor each = EventHash.rumor(sender.publicKey(), rumor.createdAt(), 14, rumor.tags(), rumor.content());
            wrapped[i] = envelope.wrap(sender, each, to, false, null)
                    .toCompletableFuture()
                    .join();
        }
        int[] next = new int[1];
        double unwraps = perCpuSecond(() -> envelope.unwrap(bob, wrapped[next[0]++ % WRAPS])
                .toCompletableFuture()
                .join());
        System.out.printf(
                Locale.ROOT,
                "{\"curve\":\"%s\",\"wrapsPerCpuSecond\":%.0f,\"unwrapsPerCpuSecond\":%.0f}%n",
                name,
                wraps,
                unwraps);
    }

    private double perCpuSecond(Runnable work) {
        run(work, WARM_UP_SECONDS * 1_000_000_000L);
        return run(work, seconds * 1_000_000_000L);
    }

    private double run(Runnable work, long cpuNanos) {
        long start = threads.getCurrentThreadCpuTime();
        long done = 0;
        long used;
        do {
            for (int i = 0; i < 20; i++) {
                work.run();
            }
            done += 20;
            used = threads.getCurrentThreadCpuTime() - start;
        } while (used < cpuNanos);
        return done * 1e9 / used;
    }
}
