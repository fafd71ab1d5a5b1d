package im.parley.outbox;

import im.parley.api.lifecycle.Scope;
import im.parley.api.storage.SpaceId;

/**
 * The tables of a circle's space, in one place because one transaction writes across services. A number is never used
 * again for something else; values begin with a version of their own (see {@link RecordOutput}).
 *
 * <p>Names are hashed by the vault; order fields are not, so they hold counters only.
 *
 * <pre>
 * table            name                       order      value
 * COUNTERS         counter's name             -          number
 * CONVERSATIONS    conversation id            -          scheme, suite, state version, epoch, state
 * QUEUE            ""                         seq        one effect that has no outcome yet
 * PAYLOADS         ""                         seq        its rumor, later with the finished event
 * LEDGER           ""                         seq        one recipient of one message
 * LEDGER_BY_ID     message id                 seq        empty
 * TOTALS           ""                         -          sent and the count of each state
 * ACCOUNTS         ""                         number     an own identity
 * CONTACTS         account key                number     a contact of that account
 * PEERS            key                        -          inbox relays as last seen
 * RELAY_LISTS      account key                -          the inbox list that some relays still miss
 * FRONTIERS        account key, relay         -          last complete sync, seconds
 * MESSAGES         account key                position   a message that is visible
 * RUMORS_SEEN      account key, rumor id      -          position, or 0 for one that is not shown
 * WRAPS_SEEN       account key, wrap id       -          empty, or the code it was refused with
 * UNSHOWN          account key                number     an authentic rumor of a kind that is not shown yet
 * SENDING          conversation id            -          last sequence number used
 * RECEIVING        conversation, key, device  -          last sequence number shown
 * GAPS             conversation, key, device  seq        what was shown last before it, and the place of the missing ones
 * MARKS            account key, rumor id      position   what another rumor says about it: a reaction, or that it is deleted
 * TIMERS           conversation id            -          seconds after which what is written there is wiped
 * EXPIRIES         account key                seconds, position   a message that is wiped then
 * CHATS            account key                number     a conversation as people list it
 * CHATS_BY_ID      conversation id            -          its number
 * CHAT_LINES       conversation id            position   a message in it that people read by itself: whether it counts as new
 * VERSIONS         account key, rumor id      clock      one text that an edited message had or has
 * RECEIPTS         account key                position   a receipt that is owed to a message's author
 * BLOCKED          account key                number     somebody who is not let in
 * PINS             conversation id            position   a message that is kept at hand
 * SETTINGS         account key                -          what the account tells others
 * DEFINITION       ""                         -          what the circle is called and begins with
 * FILE_JOBS        ""                         number     a transfer of a file, with its key
 * FILE_SERVERS     ""                         number     an account and its file servers
 * FILE_MESSAGES    ""                         number     for whom a file is that is being uploaded
 * FILE_DESCRIPTIONS  account key              position   the tags of a message with a file, its key among them
 * </pre>
 *
 * <p>48 to 59 are for files.
 */
public final class CircleRecords {
    public static final int COUNTERS = 1;
    public static final int CONVERSATIONS = 2;
    public static final int QUEUE = 3;
    public static final int PAYLOADS = 4;
    public static final int LEDGER = 5;
    public static final int LEDGER_BY_ID = 6;
    public static final int TOTALS = 7;
    public static final int ACCOUNTS = 16;
    public static final int CONTACTS = 17;
    public static final int PEERS = 18;
    public static final int RELAY_LISTS = 19;
    public static final int FRONTIERS = 20;
    public static final int MESSAGES = 21;
    public static final int RUMORS_SEEN = 22;
    public static final int WRAPS_SEEN = 23;
    public static final int UNSHOWN = 24;
    public static final int SENDING = 25;
    public static final int RECEIVING = 26;
    public static final int GAPS = 27;
    public static final int MARKS = 28;
    public static final int TIMERS = 29;
    public static final int EXPIRIES = 30;
    public static final int CHATS = 31;
    public static final int CHATS_BY_ID = 32;
    public static final int CHAT_LINES = 33;
    public static final int VERSIONS = 34;
    public static final int RECEIPTS = 35;
    public static final int BLOCKED = 36;
    public static final int PINS = 37;
    public static final int SETTINGS = 38;
    public static final int DEFINITION = 39;

    public static final int FILE_JOBS = 48;
    public static final int FILE_SERVERS = 49;
    public static final int FILE_MESSAGES = 50;
    public static final int FILE_DESCRIPTIONS = 51;

    private CircleRecords() {}

    /** The space of a circle. */
    public static SpaceId space(Scope scope) {
        // A space id has room for 64 characters and so has a circle name; the prefix must fit as well.
        String name = scope.circle();
        if (name.length() > 57) {
            throw new IllegalArgumentException("a circle that keeps records has a name of at most 57 characters");
        }
        return new SpaceId("circle:" + name);
    }
}
