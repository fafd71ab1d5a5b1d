package im.parley.bench;

import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Whether the time that a NIP-44 payload takes to be refused tells where its MAC is wrong: Welch's t between payloads with a
 * wrong first and with a wrong last byte, taken in random order. Below 4.5 in absolute value nothing is told (the bound of
 * ISO/IEC 17825). {@code ./run timing} prints it. As a control the same is done for an early-exit comparison, which must be found out.
 *
 * <p>Times of a shared machine have a long tail, so each class is also compared without its slowest part.
 */
public final class MacTiming {
    private static final double[] KEPT = {1, 0.99, 0.9, 0.5};

    private final int pairs;

    private MacTiming(int pairs) {
        this.pairs = pairs;
    }

    /** @param args payloads of each class; 500,000 if absent */
    public static void main(String[] args) throws CipherException {
        MacTiming timing = new MacTiming(args.length > 0 ? Integer.parseInt(args[0]) : 500_000);
        SecureRandom random = new SecureRandom();
        byte[] key = new byte[32];
        byte[] nonce = new byte[32];
        random.nextBytes(key);
        random.nextBytes(nonce);
        byte[] payload = Base64.getDecoder().decode(Nip44.encrypt(key, nonce, "attack at dawn"));
        String first = spoiled(payload, payload.length - 32);
        String last = spoiled(payload, payload.length - 1);
        byte[] mac = Arrays.copyOfRange(payload, payload.length - 32, payload.length);
        byte[] wrongFirst = spoiledBytes(mac, 0);
        byte[] wrongLast = spoiledBytes(mac, 31);
        timing.report("nip44", () -> refuse(key, first), () -> refuse(key, last));
        timing.report("early exit, the control", () -> earlyExit(mac, wrongFirst), () -> earlyExit(mac, wrongLast));
    }

    private static String spoiled(byte[] payload, int at) {
        return Base64.getEncoder().encodeToString(spoiledBytes(payload, at));
    }

    private static byte[] spoiledBytes(byte[] bytes, int at) {
        byte[] spoiled = bytes.clone();
        spoiled[at] ^= 0x40;
        return spoiled;
    }

    private static void refuse(byte[] key, String payload) {
        try {
            Nip44.decrypt(key, payload);
            throw new AssertionError("a payload with a wrong MAC was taken");
        } catch (CipherException e) {
            if (!e.code().equals("crypto.bad-mac")) {
                throw new AssertionError(e);
            }
        }
    }

    private static volatile int sink;

    private static void earlyExit(byte[] right, byte[] given) {
        // Several times, since one comparison takes no longer than the clock's step.
        for (int round = 0; round < 16; round++) {
            int i = 0;
            while (i < right.length && right[i] == given[i]) {
                i++;
            }
            sink = i;
        }
    }

    private void report(String name, Runnable a, Runnable b) {
        measure(a, b, Math.min(pairs, 50_000));
        long[][] times = measure(a, b, pairs);
        Arrays.sort(times[0]);
        Arrays.sort(times[1]);
        StringBuilder line = new StringBuilder("{\"timing\":\"")
                .append(name)
                .append("\",\"each\":")
                .append(pairs);
        for (double kept : KEPT) {
            line.append(String.format(Locale.ROOT, ",\"t%.0f\":%.2f", 100 * kept, welch(times, kept)));
        }
        System.out.println(line.append('}'));
    }

    /** Both classes in random order, so that whatever the machine does meets both. */
    private static long[][] measure(Runnable a, Runnable b, int pairs) {
        long[][] times = new long[2][pairs];
        int[] done = new int[2];
        SplittableRandom random = new SplittableRandom();
        while (done[0] < pairs || done[1] < pairs) {
            int which = random.nextInt(2);
            if (done[which] == pairs) {
                which = 1 - which;
            }
            Runnable task = which == 0 ? a : b;
            long begun = System.nanoTime();
            task.run();
            times[which][done[which]++] = System.nanoTime() - begun;
        }
        return times;
    }

    private static double welch(long[][] sorted, double kept) {
        double[] mean = new double[2];
        double[] error = new double[2];
        for (int i = 0; i < 2; i++) {
            int n = (int) (sorted[i].length * kept);
            double sum = 0;
            for (int j = 0; j < n; j++) {
                sum += sorted[i][j];
            }
            mean[i] = sum / n;
            double squares = 0;
            for (int j = 0; j < n; j++) {
                double off = sorted[i][j] - mean[i];
                squares += off * off;
            }
            error[i] = squares / (n - 1) / n;
        }
        return (mean[0] - mean[1]) / Math.sqrt(error[0] + error[1]);
    }
}
