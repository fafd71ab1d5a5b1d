package im.parley.policy.limits;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.policy.Client;
import im.parley.api.policy.EventPolicy;
import im.parley.api.policy.QueryPolicy;
import im.parley.api.policy.Verdict;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Counts per address. Forgets whoever was quiet longest when there are too many addresses; such a one starts anew with all it
 * may have at once. Thread-safe.
 */
final class Limits implements EventPolicy, QueryPolicy {
    private static final int KIB = 1_024;
    private static final int GROUPS = 8;
    private static final int NETWORK_GROUPS = 4;

    private final Budget events;
    private final Budget kib;
    private final Budget filters;
    private final KindRanges refusedKinds;
    private final Set<String> exempt;
    private final InstantSource clock;
    private final Map<String, Stamps> addresses;

    /** How far ahead an address is, see {@link Budget}. */
    private static final class Stamps {
        long events;
        long kib;
        long filters;
    }

    Limits(LimitsSettings settings, InstantSource clock) {
        events = settings.events();
        kib = settings.kib();
        filters = settings.filters();
        refusedKinds = settings.refusedKinds();
        exempt = settings.exempt();
        this.clock = clock;
        addresses = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<String, Stamps> eldest) {
                return size() > settings.addresses();
            }
        };
    }

    @Override
    public Verdict judge(Event event, Client client) {
        if (refusedKinds.contains(event.kind())) {
            return Verdict.refuse(
                    Verdict.Prefix.BLOCKED, "kind-not-taken this relay takes no events of kind " + event.kind());
        }
        if (isExempt(client)) {
            return Verdict.accept();
        }
        long now = micros();
        synchronized (addresses) {
            Stamps stamps = stamps(client.address());
            long nextEvents = events.take(stamps.events, 1, now);
            if (nextEvents == Budget.REFUSED) {
                return tooMany("events");
            }
            long nextKib = kib.take(stamps.kib, kib(event), now);
            if (nextKib == Budget.REFUSED) {
                return tooMany("bytes");
            }
            stamps.events = nextEvents;
            stamps.kib = nextKib;
            return Verdict.accept();
        }
    }

    @Override
    public Verdict judge(List<Filter> asked, Client client) {
        if (isExempt(client)) {
            return Verdict.accept();
        }
        long now = micros();
        synchronized (addresses) {
            Stamps stamps = stamps(client.address());
            long next = filters.take(stamps.filters, asked.size(), now);
            if (next == Budget.REFUSED) {
                return tooMany("filters");
            }
            stamps.filters = next;
            return Verdict.accept();
        }
    }

    private static Verdict tooMany(String what) {
        return Verdict.refuse(
                Verdict.Prefix.RATE_LIMITED, "too many " + what + " come from your address, try again in a minute");
    }

    private boolean isExempt(Client client) {
        return client.local() || exempt.contains(client.address());
    }

    private long micros() {
        return clock.millis() * 1_000;
    }

    /** With the lock on the addresses. */
    private Stamps stamps(String address) {
        return addresses.computeIfAbsent(network(address), unused -> new Stamps());
    }

    int remembered() {
        synchronized (addresses) {
            return addresses.size();
        }
    }

    /** Whoever has one IPv6 address has 2^64 of them. */
    private static String network(String address) {
        String[] groups = address.split(":", -1);
        return groups.length == GROUPS ? String.join(":", List.of(groups).subList(0, NETWORK_GROUPS)) : address;
    }

    /** Rounded up. */
    private static long kib(Event event) {
        long length = event.content().length();
        for (List<String> tag : event.tags()) {
            for (String value : tag) {
                length += value.length();
            }
        }
        return length / KIB + 1;
    }
}
