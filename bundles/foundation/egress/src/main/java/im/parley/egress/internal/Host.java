package im.parley.egress.internal;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A host read by our own rules, so that no resolver ever gets to interpret a number: {@code 2130706433}, {@code 0x7f.1}
 * and {@code 0177.0.0.1} mean 127.0.0.1 to some libraries and a name to others.
 *
 * @param text canonical: lower case, no trailing dot; an address in the form {@link InetAddress#getHostAddress} prints
 * @param literal the addresses it stands for without asking anybody; empty for a name to be resolved
 */
record Host(String text, List<InetAddress> literal) {
    private static final int MAX_NAME = 253;

    /** Null if this is no host we would ever connect to. */
    static @Nullable Host parse(String raw) {
        if (raw.isEmpty() || raw.length() > MAX_NAME + 1) {
            return null;
        }
        for (int i = 0; i < raw.length(); i++) {
            // Names beyond ASCII come as A-labels (RFC 5891); full-width digits and dots are only ever a trick.
            char c = raw.charAt(i);
            boolean plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
            if (!plain && c != '.' && c != '-' && c != '_' && c != ':') {
                return null;
            }
        }
        String text = raw.toLowerCase(Locale.ROOT);
        if (text.indexOf(':') >= 0) {
            byte[] address = ipv6(text);
            return address == null ? null : literal(address);
        }
        if (text.endsWith(".")) {
            text = text.substring(0, text.length() - 1);
        }
        String[] labels = text.split("\\.", -1);
        for (String label : labels) {
            if (label.isEmpty() || label.length() > 63) {
                return null;
            }
        }
        if (looksNumeric(labels[labels.length - 1])) {
            byte[] address = ipv4(labels);
            return address == null ? null : literal(address);
        }
        if (text.equals("localhost") || text.endsWith(".localhost")) {
            // RFC 6761 section 6.3: loopback whatever a name server says.
            return new Host(text, List.of(address(new byte[] {127, 0, 0, 1}), address(loopback6())));
        }
        return new Host(text, List.of());
    }

    private static byte[] loopback6() {
        byte[] address = new byte[16];
        address[15] = 1;
        return address;
    }

    // As the URL standard's "ends in a number": no top-level domain is all digits or a 0x number.
    private static boolean looksNumeric(String label) {
        if (label.startsWith("0x")) {
            return label.chars().skip(2).allMatch(c -> Character.digit(c, 16) >= 0);
        }
        return label.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    private static byte @Nullable [] ipv4(String[] labels) {
        if (labels.length != 4) {
            return null;
        }
        byte[] address = new byte[4];
        for (int i = 0; i < 4; i++) {
            String label = labels[i];
            boolean decimal = label.length() <= 3
                    && label.chars().allMatch(c -> c >= '0' && c <= '9')
                    && (label.length() == 1 || label.charAt(0) != '0');
            int value = decimal ? Integer.parseInt(label) : 256;
            if (value > 255) {
                return null;
            }
            address[i] = (byte) value;
        }
        return address;
    }

    // RFC 4291 section 2.2, without zone ids.
    private static byte @Nullable [] ipv6(String text) {
        int gap = text.indexOf("::");
        if (gap >= 0 && text.indexOf("::", gap + 1) >= 0) {
            return null;
        }
        byte[] head = gap < 0 ? groups(text) : groups(text.substring(0, gap));
        byte[] tail = gap < 0 ? new byte[0] : groups(text.substring(gap + 2));
        if (head == null || tail == null) {
            return null;
        }
        int length = head.length + tail.length;
        if (gap < 0 ? length != 16 : length > 14) {
            return null;
        }
        byte[] address = new byte[16];
        System.arraycopy(head, 0, address, 0, head.length);
        System.arraycopy(tail, 0, address, 16 - tail.length, tail.length);
        return address;
    }

    private static byte @Nullable [] groups(String text) {
        if (text.isEmpty()) {
            return new byte[0];
        }
        String[] parts = text.split(":", -1);
        boolean dotted = parts[parts.length - 1].indexOf('.') >= 0;
        byte[] bytes = new byte[2 * parts.length + (dotted ? 2 : 0)];
        int at = 0;
        for (int i = 0; i < parts.length; i++) {
            if (dotted && i == parts.length - 1) {
                byte[] v4 = ipv4(parts[i].split("\\.", -1));
                if (v4 == null) {
                    return null;
                }
                System.arraycopy(v4, 0, bytes, at, 4);
                return bytes;
            }
            int length = parts[i].length();
            if (length < 1 || length > 4 || !parts[i].chars().allMatch(c -> Character.digit(c, 16) >= 0)) {
                return null;
            }
            int group = Integer.parseInt(parts[i], 16);
            bytes[at++] = (byte) (group >> 8);
            bytes[at++] = (byte) group;
        }
        return bytes;
    }

    private static @Nullable Host literal(byte[] bytes) {
        InetAddress address = address(bytes);
        if (bytes.length == 16 && address.getAddress().length == 4) {
            // An IPv4-mapped literal: nobody has a reason to write one but to slip past a check.
            return null;
        }
        return new Host(address.getHostAddress(), List.of(address));
    }

    private static InetAddress address(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("4 or 16 bytes are always an address", e);
        }
    }
}
