package im.parley.relay.internal;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** What an operator may set; the limits are served in the NIP-11 document as they are here. */
@ObjectClassDefinition(
        id = RelayConfiguration.PID,
        name = "Relay",
        description =
                "The relay of this node: which addresses it answers to, what it says about itself, and its limits.")
@interface RelayConfiguration {
    String PID = "im.parley.relay";

    @AttributeDefinition(
            name = "Addresses",
            description = "The ws or wss URLs under which clients reach this relay, for example ws://127.0.0.1:7470."
                    + " A client proves its key for one of exactly these (NIP-42).")
    String[] urls();

    @AttributeDefinition(name = "Name", description = "Shown to people in the relay's information document.")
    String name() default "Parley relay";

    @AttributeDefinition(name = "Description", description = "One or two sentences for people.")
    String description() default "";

    @AttributeDefinition(name = "Contact", description = "How to reach the operator, as a URI.")
    String contact() default "";

    @AttributeDefinition(name = "Operator's key", description = "Public key of the operator, 64 lower-case hex digits.")
    String pubkey() default "";

    @AttributeDefinition(name = "Largest message", description = "Bytes of one client message, 16384 to 16777216.")
    int maxMessageLength() default 131_072;

    @AttributeDefinition(name = "Subscriptions", description = "Open at once on one connection, 1 to 10000.")
    int maxSubscriptions() default 200;

    @AttributeDefinition(name = "Filters", description = "In one subscription, 1 to 1000.")
    int maxFilters() default 200;

    @AttributeDefinition(
            name = "Stored events",
            description = "Answered to one filter at most, also when it asks for more or names no limit, 1 to 10000.")
    int maxLimit() default 500;

    @AttributeDefinition(name = "Tags", description = "Tags of one event, 1 to 9000.")
    int maxEventTags() default 2_000;

    @AttributeDefinition(
            name = "Content",
            description = "Characters of an event's content, 1024 to the largest message. Gift wraps of long messages"
                    + " have up to 87472.")
    int maxContentLength() default 102_400;

    @AttributeDefinition(
            name = "Seconds into the future",
            description = "How far an event's created_at may be ahead of this relay's clock, 0 to 86400.")
    int createdAtUpperLimit() default 900;

    @AttributeDefinition(
            name = "Proof of work",
            description = "Leading zero bits that an event's id must have (NIP-13), 0 to 64.")
    int minPowDifficulty() default 0;

    @AttributeDefinition(
            name = "Rows of a count",
            description = "Events that one COUNT may look at, 1000 to 100000000; a wider one is refused.")
    int maxCountRows() default 100_000;

    @AttributeDefinition(name = "Connections", description = "Clients at once, 1 to 100000.")
    int maxConnections() default 5_000;

    @AttributeDefinition(
            name = "Frames waiting to be handled",
            description = "Of one connection; a client that sends more ahead is cut off, 16 to 65536.")
    int pendingFrames() default 256;

    @AttributeDefinition(
            name = "Events waiting to be stored",
            description = "Of one connection; its further frames wait, 1 to 4096.")
    int pendingEvents() default 64;

    @AttributeDefinition(
            name = "Frames waiting to be sent",
            description = "To one connection; a client that does not read them in time is cut off, 256 to 65536.")
    int outboundFrames() default 4_096;

    @AttributeDefinition(
            name = "KiB waiting to be sent",
            description = "To one connection, as the line above, 1024 to 1048576.")
    int outboundKib() default 8_192;

    @AttributeDefinition(
            name = "KiB held for all",
            description =
                    "What waits to be sent to all connections, ids remembered so that nothing is sent twice, and what"
                            + " the connections have sent ahead, together; beyond it the connection that holds most is"
                            + " cut off. 0 is an eighth of the heap; 8192 to 67108864.")
    int backlogKib() default 0;

    @AttributeDefinition(
            name = "KiB of filters",
            description = "Of the open subscriptions of one connection, as they lie in memory, 64 to 1048576.")
    int filterKib() default 1_024;

    @AttributeDefinition(
            name = "KiB of filters of all",
            description =
                    "As the line above, of all connections together. 0 is a sixteenth of the heap; 1024 to 67108864.")
    int allFiltersKib() default 0;

    @AttributeDefinition(
            name = "Events per second",
            description = "Taken from one connection in the long run, 1 to 1000000. What comes faster is answered"
                    + " rate-limited. Does not concern this node's own client.")
    int eventsPerSecond() default 500;

    @AttributeDefinition(
            name = "Events at once",
            description = "Taken from one connection beyond the line above, 1 to 1000000.")
    int eventsAtOnce() default 2_000;

    @AttributeDefinition(
            name = "Filters per second",
            description = "Of new subscriptions of one connection in the long run, 1 to 1000000. What comes faster is"
                    + " closed with rate-limited. Does not concern this node's own client.")
    int filtersPerSecond() default 100;

    @AttributeDefinition(
            name = "Filters at once",
            description = "Of one connection beyond the line above, at least those of one subscription, to 1000000.")
    int filtersAtOnce() default 1_000;

    @AttributeDefinition(
            name = "Guarded rows passed over",
            description =
                    "How many events that it may not see the queries of one connection may pass over at once, 1000 to"
                            + " 100000000; a twentieth of it comes back each second, and all connections together have ten times"
                            + " as much. A query beyond it is refused as too wide.")
    int maxGuardedRows() default 20_000;

    @AttributeDefinition(name = "Workers", description = "Threads that verify and query, 1 to 64.")
    int workers() default 4;

    @AttributeDefinition(
            name = "Policies",
            description = "Slots whose policies must have nothing against an event or a query, for example"
                    + " policy.limits, in the order in which they are asked; 16 at most. One that is missing or fails"
                    + " refuses everything.")
    String[] policies() default {};
}
