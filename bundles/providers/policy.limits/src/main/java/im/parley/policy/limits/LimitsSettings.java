package im.parley.policy.limits;

import java.util.Set;

/** The configuration after its values were checked. */
record LimitsSettings(
        Budget events, Budget kib, Budget filters, KindRanges refusedKinds, Set<String> exempt, int addresses) {
    private static final int MOST = 10_000_000;
    private static final int LARGEST_EVENT_KIB = 16_384;
    private static final int MOST_FILTERS = 1_000;
    private static final int LEAST_ADDRESSES = 100;

    LimitsSettings {
        exempt = Set.copyOf(exempt);
    }

    /** @throws IllegalArgumentException naming PID, key, value and what is allowed */
    static LimitsSettings of(LimitsConfiguration c) {
        KindRanges kinds;
        try {
            kinds = KindRanges.of(c.refusedKinds());
        } catch (IllegalArgumentException e) {
            throw refused("refusedKinds", String.valueOf(e.getMessage()), "kinds 0 to 65535 and ranges FIRST-LAST");
        }
        return new LimitsSettings(
                Budget.of(range("eventsPerMinute", c.eventsPerMinute(), 1), range("eventsAtOnce", c.eventsAtOnce(), 1)),
                Budget.of(
                        range("kibPerMinute", c.kibPerMinute(), 1),
                        range("kibAtOnce", c.kibAtOnce(), LARGEST_EVENT_KIB)),
                Budget.of(
                        range("filtersPerMinute", c.filtersPerMinute(), 1),
                        range("filtersAtOnce", c.filtersAtOnce(), MOST_FILTERS)),
                kinds,
                Set.of(c.exempt()),
                range("addresses", c.addresses(), LEAST_ADDRESSES));
    }

    private static int range(String key, int value, int least) {
        if (value < least || value > MOST) {
            throw refused(key, Integer.toString(value), least + " to " + MOST);
        }
        return value;
    }

    private static IllegalArgumentException refused(String key, String value, String allowed) {
        return new IllegalArgumentException(LimitsPolicy.PID + ": " + key + " is '" + value + "', allowed: " + allowed);
    }
}
