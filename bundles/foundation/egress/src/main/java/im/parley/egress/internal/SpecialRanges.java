package im.parley.egress.internal;

import java.math.BigInteger;
import java.net.InetAddress;
import java.util.List;

/**
 * Addresses that are not one host of the public internet, after the IANA special-purpose registries (RFC 6890 and its
 * updates). IPv6 is turned round: only 2000::/3 is handed out, so everything else is special.
 */
final class SpecialRanges {
    /** A prefix as bytes and its length in bits. */
    private record Range(byte[] prefix, int bits) {
        boolean holds(byte[] address) {
            if (address.length != prefix.length) {
                return false;
            }
            int whole = bits / 8;
            for (int i = 0; i < whole; i++) {
                if (address[i] != prefix[i]) {
                    return false;
                }
            }
            int rest = bits % 8;
            return rest == 0 || ((address[whole] ^ prefix[whole]) & 0xFF << (8 - rest) & 0xFF) == 0;
        }
    }

    private static final List<Range> V4 = List.of(
            v4(0, 0, 0, 0, 8), // this network
            v4(10, 0, 0, 0, 8), // private, RFC 1918
            v4(100, 64, 0, 0, 10), // carrier-grade NAT, RFC 6598
            v4(127, 0, 0, 0, 8), // loopback
            v4(169, 254, 0, 0, 16), // link-local, cloud metadata
            v4(172, 16, 0, 0, 12), // private, RFC 1918
            v4(192, 0, 0, 0, 24), // IETF protocol assignments
            v4(192, 0, 2, 0, 24), // documentation
            v4(192, 88, 99, 0, 24), // 6to4 relay anycast, RFC 7526
            v4(192, 168, 0, 0, 16), // private, RFC 1918
            v4(198, 18, 0, 0, 15), // benchmarking, RFC 2544
            v4(198, 51, 100, 0, 24), // documentation
            v4(203, 0, 113, 0, 24), // documentation
            v4(224, 0, 0, 0, 4), // multicast
            v4(240, 0, 0, 0, 4)); // reserved and broadcast

    private static final Range V6_GLOBAL = v6("2000", 3);

    private static final List<Range> V6_SPECIAL = List.of(
            v6("20010000", 23), // IETF protocol assignments: Teredo, benchmarking, ORCHID
            v6("20010db8", 32), // documentation
            v6("2002", 16), // 6to4, carries an IPv4 address
            v6("3fff", 20)); // documentation, RFC 9637

    private SpecialRanges() {}

    private static Range v4(int a, int b, int c, int d, int bits) {
        return new Range(new byte[] {(byte) a, (byte) b, (byte) c, (byte) d}, bits);
    }

    private static Range v6(String hex, int bits) {
        byte[] prefix = new byte[16];
        byte[] start = new BigInteger("01" + hex, 16).toByteArray();
        System.arraycopy(start, 1, prefix, 0, start.length - 1);
        return new Range(prefix, bits);
    }

    static boolean contains(InetAddress address) {
        byte[] bytes = address.getAddress();
        if (bytes.length == 4) {
            return V4.stream().anyMatch(range -> range.holds(bytes));
        }
        return !V6_GLOBAL.holds(bytes) || V6_SPECIAL.stream().anyMatch(range -> range.holds(bytes));
    }
}
