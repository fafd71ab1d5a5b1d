package im.parley.files.http.internal;

import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What each address may do: requests per minute and bytes per hour, as many at once as in that time. The addresses that
 * were quiet for longest are forgotten first. Thread-safe.
 */
final class Allowances {
    static final int MAX_ADDRESSES = 50_000;
    private static final double MINUTE_MILLIS = 60_000;
    private static final double HOUR_MILLIS = 3_600_000;
    private static final int V6_NETWORK_GROUPS = 4;

    private final long requestsPerMinute;
    private final long bytesPerHour;
    private final InstantSource clock;

    private final Map<String, Account> accounts = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Account> eldest) {
            return size() > MAX_ADDRESSES;
        }
    };

    private static final class Account {
        double requests;
        double bytes;
        long at;
    }

    Allowances(long requestsPerMinute, long bytesPerHour, InstantSource clock) {
        this.requestsPerMinute = requestsPerMinute;
        this.bytesPerHour = bytesPerHour;
        this.clock = clock;
    }

    /** @throws Refusal 429 {@code rate.limited} */
    void request(String remote, int times) throws Refusal {
        if (isExempt(remote)) {
            return;
        }
        synchronized (accounts) {
            Account account = account(remote);
            if (account.requests < times) {
                throw new Refusal(429, "rate.limited", "Your address sends too many requests. Try again in a minute.");
            }
            account.requests -= times;
        }
    }

    /**
     * Whether that many bytes may come; takes none.
     *
     * @throws Refusal 429 {@code quota.exceeded}
     */
    void checkBytes(String remote, long bytes) throws Refusal {
        if (isExempt(remote)) {
            return;
        }
        synchronized (accounts) {
            if (account(remote).bytes < Math.max(1, bytes)) {
                throw new Refusal(
                        429, "quota.exceeded", "Your address has uploaded too much in the last hour. Try again later.");
            }
        }
    }

    /** What came, also of an upload that failed; on credit if need be, which the next one pays. */
    void spendBytes(String remote, long bytes) {
        if (!isExempt(remote)) {
            synchronized (accounts) {
                account(remote).bytes -= bytes;
            }
        }
    }

    private Account account(String remote) {
        long now = clock.millis();
        Account account = accounts.computeIfAbsent(network(remote), key -> {
            Account fresh = new Account();
            fresh.requests = requestsPerMinute;
            fresh.bytes = bytesPerHour;
            fresh.at = now;
            return fresh;
        });
        // A clock that is set back gives nothing, and one that leaps gives no more than all.
        double passed = Math.max(0, now - account.at);
        account.at = now;
        account.requests = Math.min(requestsPerMinute, account.requests + passed * requestsPerMinute / MINUTE_MILLIS);
        account.bytes = Math.min(bytesPerHour, account.bytes + passed * bytesPerHour / HOUR_MILLIS);
        return account;
    }

    private static boolean isExempt(String remote) {
        return remote.isEmpty()
                || remote.startsWith("127.")
                || remote.equals("0:0:0:0:0:0:0:1")
                || remote.equals("::1");
    }

    /** Whoever has one IPv6 address has a network of them; the JDK writes all eight groups. */
    static String network(String remote) {
        int end = -1;
        for (int i = 0; i < V6_NETWORK_GROUPS; i++) {
            end = remote.indexOf(':', end + 1);
            if (end < 0) {
                return remote;
            }
        }
        return remote.substring(0, end);
    }
}
