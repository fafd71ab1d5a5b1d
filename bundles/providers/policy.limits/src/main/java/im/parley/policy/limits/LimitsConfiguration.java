package im.parley.policy.limits;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** What an operator may set. The relay's own limits count per connection; these count per address. */
@ObjectClassDefinition(
        name = "Limits per address",
        description = "How much all connections of one address together may send to the relay and ask of it, and kinds"
                + " of events that it does not take. IPv6 addresses with the same first 64 bits are one.")
@interface LimitsConfiguration {
    @AttributeDefinition(name = "Events per minute", description = "In the long run, 1 to 10000000.")
    int eventsPerMinute() default 12_000;

    @AttributeDefinition(name = "Events at once", description = "Beyond the line above, 1 to 10000000.")
    int eventsAtOnce() default 10_000;

    @AttributeDefinition(
            name = "KiB per minute",
            description = "Of what events say, without the JSON around it, in the long run, 1 to 10000000.")
    int kibPerMinute() default 131_072;

    @AttributeDefinition(
            name = "KiB at once",
            description = "Beyond the line above, 16384 to 10000000: one event has up to 16 MiB.")
    int kibAtOnce() default 131_072;

    @AttributeDefinition(
            name = "Filters per minute",
            description = "Of new subscriptions and counts, in the long run, 1 to 10000000.")
    int filtersPerMinute() default 12_000;

    @AttributeDefinition(
            name = "Filters at once",
            description = "Beyond the line above, 1000 to 10000000: one subscription has up to 1000.")
    int filtersAtOnce() default 10_000;

    @AttributeDefinition(
            name = "Refused kinds",
            description =
                    "KindRanges of events that are not taken, single ones or ranges, for example 4 or 30000-39999.")
    String[] refusedKinds() default {};

    @AttributeDefinition(
            name = "Exempt addresses",
            description =
                    "Addresses that are not counted, IPv6 in eight groups. At first those of this machine: a proxy"
                            + " before the relay hides who comes through it, and has to limit them itself.")
    String[] exempt() default {"127.0.0.1", "0:0:0:0:0:0:0:1"};

    @AttributeDefinition(
            name = "Addresses remembered",
            description = "The one that was quiet longest is forgotten for a new one, 100 to 10000000; each takes some"
                    + " 200 bytes.")
    int addresses() default 50_000;
}
