package im.parley.control;

import static im.parley.control.Method.Param.optional;
import static im.parley.control.Method.Param.required;
import static im.parley.control.Shape.COUNTS;
import static im.parley.control.Shape.FLAG;
import static im.parley.control.Shape.NUMBER;
import static im.parley.control.Shape.TEXT;
import static im.parley.control.Shape.listOf;
import static im.parley.control.Shape.object;

import im.parley.control.Method.Access;
import im.parley.control.Method.Type;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Every method there is, declared once: the dispatcher, the checks and {@code rpc.discover} all read this. */
public final class Schema {
    /** Grows with every change a client could notice. */
    public static final String VERSION = "0.6.0";

    private static final Shape SESSION = object(
            "pinSet",
            FLAG,
            "locked",
            FLAG,
            "failures",
            NUMBER.described("wrong PINs in a row"),
            "retryAt",
            NUMBER.described("epoch milliseconds before which no PIN is tried; 0 if now"));

    private static final Shape ACCOUNT = object(
            "name", TEXT,
            "pubkey", TEXT.described("hex"),
            "npub", TEXT,
            "nprofile", TEXT.described("what to give to others: key and inbox relays"),
            "relays", listOf(TEXT),
            "locked", FLAG.described("its key has a passphrase that was not given yet"));

    private static final Shape CONTACT =
            object("name", TEXT, "pubkey", TEXT.described("hex"), "npub", TEXT, "relays", listOf(TEXT));

    private static final Shape LISTED_CONTACT = object(
            "account", TEXT.described("the own identity that knows her"),
            "name", TEXT,
            "pubkey", TEXT.described("hex"),
            "npub", TEXT,
            "relays", listOf(TEXT));

    private static final Shape MESSAGE = object(
            "position", NUMBER.described("order of appearance; ask for later ones with after"),
            "id", TEXT,
            "account", TEXT,
            "peer", TEXT.described("hex public key of the author, or of an own message the first other member's"),
            "peerName", TEXT,
            "outgoing", FLAG,
            "sentAt", NUMBER.described("epoch milliseconds by the writer's clock"),
            "text", TEXT.described("of a reaction the reaction; empty if it was deleted"),
            "state", TEXT,
            "what", TEXT.described("text, file, reaction, deletion or edit"),
            "about", TEXT.described("id of the message that it answers or is about; empty if none"),
            "room", TEXT.described("the same for all messages among the same people"),
            "members", listOf(TEXT).described("everybody in the room but the account"),
            "reactions", listOf(object("by", TEXT, "content", TEXT)).described("oldest first"),
            "deleted", FLAG.described("by its author"),
            "expires", NUMBER.described("epoch seconds at which it is wiped; 0 for never"),
            "edits", NUMBER.described("how often its text was changed"),
            "mentions",
                    listOf(object("address", TEXT.described("as it stands in the text"), "name", TEXT, "self", FLAG)),
            "file",
                    listOf(object(
                                    "name", TEXT,
                                    "type", TEXT,
                                    "size", NUMBER.described("bytes when encrypted; -1 if it was not said"),
                                    "width", NUMBER,
                                    "height", NUMBER,
                                    "blurhash", TEXT,
                                    "duration", NUMBER.described("milliseconds; 0 if it was not said"),
                                    "sha256", TEXT.described("of the encrypted file")))
                            .described("one, or none that can be got"));

    private static final Shape CHAT = object(
            "account",
            TEXT,
            "room",
            TEXT.described("as of a message"),
            "members",
            listOf(TEXT).described("everybody but the account"),
            "keys",
            listOf(TEXT).described("their public keys in hex, in the same order"),
            "request",
            FLAG.described("a stranger began it and it was not let in yet"),
            "pinned",
            FLAG,
            "mutedUntil",
            NUMBER.described("epoch seconds; 0 if it is not"),
            "unread",
            NUMBER,
            "mentioned",
            FLAG.described("a new message names the account"),
            "draft",
            TEXT,
            "timer",
            NUMBER.described("seconds after which what is written there is wiped; 0 for never"),
            "last",
            listOf(MESSAGE).described("the newest message, or none"));

    private static final Shape STATE = object(
            "position", NUMBER,
            "id", TEXT,
            "account", TEXT,
            "peer", TEXT.described("hex public key"),
            "peerName", TEXT,
            "sentAt", NUMBER,
            "state", TEXT);

    private static final Shape HEALTH = object(
            "relay", TEXT,
            "lane", TEXT,
            "state", TEXT.described("connected, connecting, waiting or idle"),
            "problem", TEXT,
            "retryAt", NUMBER.described("epoch milliseconds; 0 if none"));

    private static final Shape ENTRY = object(
            "message",
            TEXT,
            "sender",
            TEXT.described("own identity; empty for what is older than the messages that are searched"),
            "recipient",
            TEXT.described("hex public key"),
            "recipientName",
            TEXT.described("as peerName of a message; empty like the sender"),
            "sentAt",
            NUMBER.described("epoch milliseconds; 0 like the sender"),
            "state",
            TEXT,
            "relaysHave",
            NUMBER,
            "relaysAll",
            NUMBER,
            "reason",
            TEXT,
            "nextTry",
            NUMBER.described("epoch milliseconds; 0 if none"));

    private static final Shape FILE_JOB = object(
            "job", TEXT,
            "kind", TEXT.described("put or get"),
            "account", TEXT.described("hex public key"),
            "state",
                    TEXT.described("preparing, uploading, available, downloading, checking, done, failed or cancelled"),
            "path", TEXT,
            "done", NUMBER.described("bytes, of the state it is in"),
            "total", NUMBER.described("bytes; -1 if it is not known"),
            "bytesPerSecond", NUMBER,
            "secondsLeft", NUMBER.described("of the state it is in; -1 if nobody can say"),
            "reason", TEXT.described("code; empty if there is none"),
            "nextTry", NUMBER.described("epoch milliseconds; 0 if none"),
            "servers",
                    listOf(object(
                            "server", TEXT, "state", TEXT.described("waiting, stored or refused"), "reason", TEXT)),
            "warnings", listOf(TEXT),
            "createdAt", NUMBER);

    private static final Shape FILE_SERVERS = object("account", TEXT, "servers", listOf(TEXT));

    private static final Shape SLOT = object(
            "slot",
            TEXT,
            "instance",
            TEXT,
            "filled",
            FLAG,
            "problem",
            TEXT,
            "inFlight",
            NUMBER,
            "candidates",
            listOf(TEXT));

    private static final Shape SWAP = object(
            "slot",
            TEXT,
            "from",
            TEXT,
            "to",
            TEXT,
            "who",
            TEXT,
            "why",
            TEXT,
            "startedAt",
            NUMBER,
            "inFlight",
            NUMBER.described("leases open at the switch"),
            "drained",
            NUMBER.described("of them, finished by themselves"),
            "cut",
            NUMBER.described("of them, still running when the drain was over"),
            "prepareMicros",
            NUMBER,
            "drainMicros",
            NUMBER,
            "longestPauseMicros",
            NUMBER.described("longest wait for a lease"),
            "generation",
            NUMBER.described("0 if it lasts until the next start"),
            "undo",
            TEXT,
            "moved",
            COUNTS.described("what a slot with state carried over, and how long writers waited; empty for others"),
            "words",
            TEXT.described("the same for people"));

    private static final Shape MOVING = object(
            "slot", TEXT,
            "phase",
                    TEXT.described(
                            "preparing, copying, comparing, switching, or window: the former one is kept up to date"),
            "from", TEXT,
            "to", TEXT,
            "done", NUMBER,
            "total", NUMBER.described("1 or more"),
            "changes", NUMBER.described("carried over behind the first pass"),
            "lag", NUMBER.described("changes known to be left"),
            "since", NUMBER,
            "problem", TEXT);

    private static final Shape COMPARED = object(
            "rows", NUMBER,
            "marks", NUMBER.described("of deletions"),
            "serving", TEXT.described("hash over all of what serves"),
            "former", TEXT.described("the same of what is kept up to date"),
            "equal", FLAG,
            "changed", NUMBER.described("rows that changed while it ran"));

    private static final Shape LEFTOVER = object("bundle", TEXT, "instance", TEXT, "holders", listOf(TEXT));

    private static final Shape REACH = object(
            "bsn", TEXT,
            "version", TEXT,
            "sha256", TEXT,
            "signer", TEXT.described("the publisher's name, as this machine's user calls it"),
            "key", TEXT.described("the publisher's"),
            "services", listOf(TEXT).described("host services that it looks up"),
            "hosts", listOf(TEXT).described("machines that it talks to"),
            "files", TEXT.described("none, or own: the directory of its instance"),
            "nativeCode", FLAG);

    private static final Shape PLUGIN = object(
            "bsn",
            TEXT,
            "version",
            TEXT,
            "sha256",
            TEXT,
            "signer",
            TEXT,
            "key",
            TEXT,
            "services",
            listOf(TEXT),
            "hosts",
            listOf(TEXT),
            "files",
            TEXT,
            "nativeCode",
            FLAG,
            "instances",
            listOf(TEXT).described("PID~name, to be selected for slots"),
            "state",
            TEXT.described("active, stopped, unresolved or not installed; and whether it is trusted no longer"));

    private static final Shape PLAN = object(
            "plan",
            TEXT.described("names exactly this plan; an act that is given it does no other"),
            "act",
            TEXT,
            "generation",
            NUMBER.described("it starts from"),
            "empty",
            FLAG.described("there is nothing to do"),
            "changes",
            listOf(TEXT),
            "refreshes",
            listOf(TEXT).described("running bundles that are bound anew"),
            "verdict",
            TEXT.described("hot, brief pause or restart"),
            "reasons",
            listOf(TEXT).described("why it is not hot"),
            "plugins",
            listOf(REACH).described("that come"),
            "warning",
            TEXT);

    private static final Shape ACT = object(
            "act",
            TEXT,
            "generation",
            NUMBER,
            "changes",
            listOf(TEXT),
            "swaps",
            listOf(object(
                    "slot",
                    TEXT,
                    "from",
                    TEXT,
                    "to",
                    TEXT,
                    "inFlight",
                    NUMBER,
                    "cut",
                    NUMBER,
                    "longestPauseMicros",
                    NUMBER)),
            "verdict",
            TEXT,
            "words",
            TEXT.described("the same for people"));

    private static final List<String> PLUGIN_CODES = List.of(
            "plugin.not-read",
            "plugin.unsigned",
            "plugin.bad-signature",
            "plugin.untrusted",
            "plugin.revoked",
            "plugin.expired",
            "plugin.downgrade",
            "plugin.bad-archive",
            "plugin.manifest-denied",
            "plugin.bad-offer",
            "plan.bad-file",
            "plan.unknown-plugin",
            "plan.duplicate-name",
            "plan.unresolved",
            "plan.api-range",
            "plan.rewires",
            "plan.slot-in-use",
            "plan.unknown-instance",
            "plan.several-stores",
            "plan.move-alone",
            "plan.duplicate-slot",
            "plan.not-tried",
            "stack.busy",
            "stack.tampered",
            "swap.no-handover");

    private static final List<String> STACK_CODES = List.of(
            "plan.wrong-hash",
            "plan.unknown-pid",
            "plan.unknown-slot",
            "plan.slot-not-single",
            "plan.slot-empty",
            "plan.bad-configuration",
            "plan.reserved",
            "plan.secret");

    private static final List<String> ACT_CODES =
            List.of("plan.changed", "plugin.start-failed", "plugin.not-ready", "data.unusable");

    private static final Shape EGRESS = object(
            "at", NUMBER,
            "scope", TEXT,
            "reason", TEXT,
            "host", TEXT,
            "port", NUMBER,
            "address", TEXT,
            "outcome", TEXT,
            "named", FLAG.described("whether the user had named host and port"));

    private static final Method.Param ACCOUNT_PARAM =
            optional("account", Type.TEXT, "name or npub of an own identity; may be left out if there is one");

    private static final Method.Param CIRCLE_PARAM =
            optional("circle", Type.TEXT, "name of a circle; left out for the default one");

    /** What happens in a circle: all methods of these groups, and some of others. */
    private static final Set<String> GROUPS_IN_CIRCLES =
            Set.of("identity", "contact", "message", "chat", "file", "fileserver", "ledger");

    private static final Set<String> IN_CIRCLES = Set.of("relay.add", "relay.remove", "relay.list", "drops.list");

    private static final Shape CIRCLE = object(
            "name", TEXT,
            "id", TEXT.described("under which it is kept and logged; says nothing"),
            "description", TEXT,
            "relays", listOf(TEXT).described("what identities made in it begin with; none for this node's own"),
            "fileServers", listOf(TEXT),
            "seconds", NUMBER.described("after which messages vanish where nothing else was said; 0 for never"),
            "createdAt", NUMBER.described("epoch milliseconds; 0 for the default circle"),
            "identities", NUMBER,
            "inboxRelays", NUMBER.described("how many different ones its identities have"),
            "messages", NUMBER.described("that became visible so far"),
            "sent", NUMBER,
            "exact", FLAG.described("each recipient is in exactly one state"),
            "byState", COUNTS);

    private static final Shape INVITATION = object(
            "link",
            TEXT,
            "circle",
            TEXT,
            "description",
            TEXT,
            "from",
            TEXT.described("how who invites is called; empty if she did not say"),
            "inviter",
            TEXT.described("npub"),
            "relays",
            listOf(TEXT),
            "fileServers",
            listOf(TEXT));

    private static final Map<String, Method> METHODS = declare();

    private final Map<String, Method> methods = new LinkedHashMap<>();

    private static Map<String, Method> declare() {
        Schema schema = new Schema();
        schema.declareNode();
        schema.declareCircles();
        schema.declareIdentities();
        schema.declareBackups();
        schema.declareRemotes();
        schema.declareMessages();
        schema.declareChats();
        schema.declareOperation();
        schema.declareStack();
        return Collections.unmodifiableMap(schema.methods);
    }

    private void declareNode() {
        add(Access.USER, true, "rpc.discover", "This schema, as OpenRPC.", "The schema was not given", object());
        add(
                Access.USER,
                true,
                "node.status",
                "Whether the node is ready, what it runs and where it listens.",
                "The status was not given",
                object(
                        "ready", FLAG,
                        "missing", listOf(TEXT),
                        "degraded", listOf(TEXT).described("what plugins were to be and are not"),
                        "version", TEXT,
                        "generation", NUMBER,
                        "features", listOf(TEXT),
                        "pid", NUMBER,
                        "startedAt", NUMBER,
                        "now", NUMBER,
                        "dataDir", TEXT,
                        "urls", listOf(object("name", TEXT, "url", TEXT)),
                        "session", SESSION));
        add(
                Access.OPERATOR,
                true,
                "node.stop",
                "Stops the node.",
                "The node was not stopped",
                object("stopping", FLAG));
        add(Access.USER, true, "session.state", "Whether the session is locked.", "The state was not given", SESSION);
        add(
                Access.USER,
                true,
                "session.lock",
                "Locks the session until the PIN is given.",
                "The session was not locked",
                SESSION,
                codes("pin.not-set"));
        add(
                Access.USER,
                true,
                "session.unlock",
                "Unlocks the session.",
                "The session stays locked",
                SESSION,
                codes("pin.wrong", "pin.backoff"),
                required("pin", Type.SECRET, "4 to 64 digits"));
        add(
                Access.USER,
                false,
                "pin.set",
                "Sets, changes or removes the PIN.",
                "The PIN was not changed",
                SESSION,
                codes("pin.wrong", "pin.backoff", "pin.format"),
                optional("current", Type.SECRET, "the PIN there is; left out if there is none"),
                optional("next", Type.SECRET, "4 to 64 digits; left out to remove the PIN"));
    }

    private void declareCircles() {
        Method.Param circle = required("circle", Type.TEXT, "its name");
        Method.Param relays = optional("relays", Type.TEXT, "up to 3, one in a line; they may be private");
        add(
                Access.USER,
                false,
                "circle.new",
                "Makes a circle, which shares nothing with the others.",
                "The circle was not made",
                CIRCLE,
                codes(
                        "circle.bad-name",
                        "circle.name-taken",
                        "circle.secret-key",
                        "circle.bad-description",
                        "circle.too-many",
                        "relay.bad-url",
                        "relay.too-many",
                        "file-server.bad-url",
                        "file-server.too-many",
                        "timer.out-of-range"),
                required("name", Type.TEXT, "1 to 64 characters"),
                optional("description", Type.TEXT, "one line, up to 200 characters"),
                relays,
                optional("fileServers", Type.TEXT, "up to 8, one in a line"),
                optional("seconds", Type.NUMBER, "5 to 31536000, after which messages in it vanish; 0 for never"));
        add(
                Access.USER,
                false,
                "circle.list",
                "The circles of this node, the default one first.",
                "The circles were not listed",
                object("circles", listOf(CIRCLE)));
        add(
                Access.USER,
                false,
                "circle.rename",
                "Gives a circle another name.",
                "The circle was not renamed",
                CIRCLE,
                codes("circle.unknown", "circle.bad-name", "circle.name-taken", "circle.secret-key"),
                circle,
                required("name", Type.TEXT, "1 to 64 characters"));
        add(
                Access.USER,
                false,
                "circle.delete",
                "Ends a circle for good, with its records, the keys of its identities and its connections.",
                "The circle was not deleted",
                object("keysKept", listOf(TEXT).described("identities whose keys lie elsewhere")),
                codes("circle.unknown", "circle.default", "circle.not-confirmed"),
                circle,
                required("again", Type.TEXT, "its name again"));
        add(
                Access.USER,
                false,
                "circle.invite",
                "A link that says where a circle meets and who invites; it has no secrets.",
                "There is no invitation",
                INVITATION,
                codes("circle.unknown", "account.none", "account.ambiguous", "account.unknown"),
                circle,
                ACCOUNT_PARAM);
        Method.Param link = required("link", Type.TEXT, "parley:circle?...");
        add(
                Access.USER,
                false,
                "circle.read",
                "What an invitation says; asks nobody.",
                "The invitation was not read",
                INVITATION,
                codes("invitation.bad"),
                link);
        add(
                Access.USER,
                false,
                "circle.join",
                "Makes a circle, an identity in it and a contact of who invites; waits for the network up to 10 s.",
                "The circle was not joined",
                object("circle", CIRCLE, "account", ACCOUNT, "contact", CONTACT),
                codes(
                        "invitation.bad",
                        "invitation.own",
                        "circle.bad-name",
                        "circle.name-taken",
                        "circle.secret-key",
                        "circle.too-many",
                        "identity.bad-name",
                        "identity.secret-key",
                        "contact.bad-name",
                        "contact.name-taken",
                        "contact.secret-key",
                        "relay.bad-url",
                        "relay.too-many"),
                link,
                optional("name", Type.TEXT, "of the circle here; the invitation's if left out"),
                required("identity", Type.TEXT, "name of the identity that is made for it"),
                optional("contact", Type.TEXT, "how to call who invites; the invitation's if left out"),
                optional(
                        "relays",
                        Type.TEXT,
                        "up to 3, one in a line, instead of the invitation's; these may be private, those may not"));
    }

    private void declareRemotes() {
        add(
                Access.USER,
                false,
                "identity.connect",
                "Takes an identity whose key is at a remote signer (NIP-46); waits up to some minutes if that asks its user.",
                "The identity was not taken",
                ACCOUNT,
                codes(
                        "identity.name-taken",
                        "identity.bad-name",
                        "identity.secret-key",
                        "identity.known",
                        "identity.no-remote",
                        "nip46.bad-url",
                        "nip46.refused",
                        "nip46.result-mismatch",
                        "nip46.timeout",
                        "nip46.unreachable"),
                required("name", Type.TEXT, "1 to 64 characters"),
                required("url", Type.SECRET, "bunker://..., which admits once"));
        add(
                Access.USER,
                false,
                "identity.remotes",
                "Remote signers that are connected, or being connected.",
                "The remote signers were not listed",
                object(
                        "remotes",
                        listOf(object(
                                "pubkey", TEXT.described("hex; empty while it is being connected"),
                                "signer", TEXT.described("hex key that answers"),
                                "relays", listOf(TEXT),
                                "approval",
                                        TEXT.described(
                                                "http or https URL where the signer wants its user to look; to be shown,"
                                                        + " never opened by itself")))));
        add(
                Access.USER,
                false,
                "name.find",
                "Asks a domain whose name this is (NIP-05); waits for the network up to 10 s.",
                "The name was not found",
                object(
                        "address", TEXT,
                        "pubkey", TEXT.described("hex"),
                        "nprofile", TEXT.described("the key with the relays that the domain names")),
                codes(
                        "nip05.bad-address",
                        "nip05.unknown",
                        "nip05.redirect",
                        "nip05.bad-answer",
                        "nip05.unreachable",
                        "egress.private"),
                required("address", Type.TEXT, "for example bob@example.org"));
        add(
                Access.USER,
                false,
                "bunker.new",
                "Invites another program to act with an identity of this node (NIP-46).",
                "Nobody was invited",
                object(
                        "url", TEXT.described("bunker://... with a secret in it; admits one client once"),
                        "account", TEXT,
                        "seconds", NUMBER.described("how long it admits")),
                codes(
                        "account.none",
                        "account.ambiguous",
                        "account.unknown",
                        "bunker.bad-kinds",
                        "bunker.bad-name",
                        "bunker.name-taken",
                        "bunker.no-relay",
                        "bunker.too-many"),
                required("name", Type.TEXT, "how to call the program, 1 to 64 characters"),
                ACCOUNT_PARAM,
                optional(
                        "kinds",
                        Type.TEXT,
                        "kinds that it may have signed, with commas between; left out for all but 5, 13, 62, 22242, 24242"
                                + " and 27235"),
                optional("signOnly", Type.FLAG, "it may neither encrypt nor decrypt"));
        add(
                Access.USER,
                false,
                "bunker.list",
                "Programs that were invited or are connected.",
                "The programs were not listed",
                object(
                        "clients",
                        listOf(object(
                                "name", TEXT,
                                "pubkey", TEXT.described("hex key of the identity"),
                                "client", TEXT.described("hex key of the program; empty while it is only invited"),
                                "kinds",
                                        listOf(TEXT)
                                                .described("that may be signed; empty for all but the sensitive ones"),
                                "nip44", FLAG,
                                "relays", listOf(TEXT),
                                "invited", NUMBER.described("epoch seconds"),
                                "lastAsked", NUMBER.described("epoch seconds; 0 if not since the node started"))),
                        "drops",
                        COUNTS));
        add(
                Access.USER,
                false,
                "bunker.revoke",
                "Ends what a program may do, at once.",
                "The program was not revoked",
                object("name", TEXT),
                codes("bunker.unknown"),
                required("name", Type.TEXT, "as given when it was invited"));
    }

    private void declareIdentities() {
        add(
                Access.USER,
                false,
                "identity.new",
                "Makes an identity with a new key.",
                "The identity was not made",
                ACCOUNT,
                codes("identity.name-taken", "identity.bad-name", "identity.secret-key", "passphrase.empty"),
                required("name", Type.TEXT, "1 to 64 characters"),
                optional(
                        "passphrase",
                        Type.SECRET,
                        "seals the key on disk; the key is open until the next lock or stop"));
        add(
                Access.USER,
                false,
                "identity.import",
                "Takes an identity whose key exists.",
                "The identity was not taken",
                ACCOUNT,
                codes(
                        "identity.name-taken",
                        "identity.bad-name",
                        "identity.secret-key",
                        "identity.known",
                        "identity.bad-key",
                        "key.too-costly",
                        "key.wrong-password",
                        "passphrase.empty"),
                required("name", Type.TEXT, "1 to 64 characters"),
                required("key", Type.SECRET, "nsec1... or ncryptsec1... (NIP-49)"),
                optional("password", Type.SECRET, "opens an ncryptsec1..."),
                optional(
                        "passphrase",
                        Type.SECRET,
                        "seals the key on disk; the key is open until the next lock or stop"));
        add(
                Access.USER,
                false,
                "identity.export",
                "The key of an identity, sealed by a password (NIP-49).",
                "The key was not exported",
                object("ncryptsec", TEXT, "npub", TEXT),
                codes(
                        "account.unknown",
                        "identity.secret-key",
                        "key.weak-passphrase",
                        "vault.locked",
                        "identity.no-export"),
                required("name", Type.TEXT, "name or npub"),
                required("password", Type.SECRET, "12 characters or more, no sequence and no repetition"));
        add(
                Access.USER,
                false,
                "identity.unlock",
                "Opens the key of an identity that has a passphrase, until the node stops or the session is locked.",
                "The identity's key stays closed",
                ACCOUNT,
                codes("account.unknown", "identity.secret-key", "vault.wrong-passphrase"),
                required("name", Type.TEXT, "name or npub"),
                required("passphrase", Type.SECRET, "as given when it was made"));
        add(
                Access.USER,
                false,
                "identity.list",
                "The identities of a circle.",
                "The identities were not listed",
                object("accounts", listOf(ACCOUNT)));
        add(
                Access.USER,
                false,
                "contact.add",
                "Adds a contact and looks up her inbox relays; waits for the network up to 10 s.",
                "The contact was not added",
                CONTACT,
                codes(
                        "contact.bad-address",
                        "contact.bad-name",
                        "contact.name-taken",
                        "contact.known",
                        "contact.self",
                        "contact.secret-key",
                        "account.ambiguous"),
                required("name", Type.TEXT, "how to call her"),
                required("address", Type.TEXT, "npub or nprofile"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "contact.list",
                "The contacts of an identity, or of all.",
                "The contacts were not listed",
                object("contacts", listOf(LISTED_CONTACT)),
                List.of(),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "relay.add",
                "Adds an inbox relay and publishes the new list.",
                "The relay was not added",
                object(
                        "accounts",
                        listOf(ACCOUNT),
                        "relay",
                        TEXT.described("as it is listed"),
                        "added",
                        FLAG.described("false if it was there already")),
                codes("relay.bad-url", "relay.too-many"),
                required("url", Type.TEXT, "ws or wss"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "relay.remove",
                "Takes an inbox relay away and publishes the new list.",
                "The relay was not removed",
                object("accounts", listOf(ACCOUNT)),
                codes("relay.bad-url", "relay.unknown"),
                required("url", Type.TEXT, "as listed"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "relay.list",
                "The inbox relays and what the connections are like now.",
                "The relays were not listed",
                object(
                        "accounts",
                        listOf(ACCOUNT),
                        "health",
                        listOf(HEALTH),
                        "now",
                        NUMBER.described("epoch milliseconds")));
        add(
                Access.OPERATOR,
                false,
                "relay.status",
                "Counters of this node's own relay since its start.",
                "The counters were not given",
                object(
                        "connections", NUMBER,
                        "subscriptions", NUMBER,
                        "stored", NUMBER,
                        "drops", COUNTS.described("what was refused or cut, by code")));
        add(
                Access.OPERATOR,
                true,
                "relay.export",
                "The next events of this node's own relay, in the order in which they were stored.",
                "The events were not read",
                object(
                        "events",
                        TEXT.described("one JSON object per line"),
                        "next",
                        NUMBER.described("ask for what comes after it"),
                        "last",
                        FLAG.described("whether nothing came after them")),
                List.of(),
                optional("after", Type.NUMBER, "next of the answer before; 0 if left out"));
        add(
                Access.OPERATOR,
                true,
                "relay.import",
                "Verifies events and stores them in this node's own relay; doing it again changes nothing.",
                "The events were not all stored",
                object(
                        "stored",
                        NUMBER,
                        "known",
                        NUMBER.described("there before, or a newer version of them"),
                        "gone",
                        NUMBER.described("deleted by their authors since, or their time is over"),
                        "refused",
                        listOf(object("line", NUMBER.described("from 0"), "code", TEXT, "reason", TEXT))),
                codes("relay.busy", "relay.slow"),
                required("events", Type.TEXT, "one JSON object per line, 500 at most"));
    }

    private void declareChats() {
        List<String> people = codes("recipient.unknown", "room.too-many", "contact.secret-key", "account.ambiguous");
        Method.Param with = required("with", Type.TEXT, "contact, own identity, npub or nprofile");
        Method.Param and = optional("and", Type.TEXT, "up to 8 more, one in a line: the room of these people");
        add(
                Access.USER,
                false,
                "chat.list",
                "Conversations: pinned ones first, then those with the newest message; requests of strangers are among them.",
                "The conversations were not listed",
                object("chats", listOf(CHAT)),
                List.of(),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.show",
                "One conversation, also if nothing was written there yet.",
                "The conversation was not read",
                CHAT,
                people,
                with,
                and,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.page",
                "Messages of a conversation before a position, as they are to be read.",
                "The messages were not listed",
                object("messages", listOf(MESSAGE)),
                people,
                with,
                and,
                optional("before", Type.NUMBER, "a position; the newest if left out"),
                optional("limit", Type.NUMBER, "1 to 1000; 50 if left out"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.pins",
                "Messages that are kept at hand in a conversation.",
                "The messages were not listed",
                object("messages", listOf(MESSAGE)),
                people,
                with,
                and,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.read",
                "Nothing in it is new any more; the authors are told, unless that is off or it is a request.",
                "The conversation was not marked as read",
                CHAT,
                people,
                with,
                and,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.pin",
                "Keeps a conversation above the others, or no longer.",
                "Nothing was pinned or unpinned",
                CHAT,
                people,
                with,
                and,
                optional("pinned", Type.FLAG, "no longer if it is left out or false"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.mute",
                "No notice of a conversation's messages for so long.",
                "The conversation was not muted",
                CHAT,
                people,
                with,
                and,
                optional("seconds", Type.NUMBER, "0 or left out ends it"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.draft",
                "Keeps a text for a conversation that is not sent yet.",
                "The draft was not kept",
                CHAT,
                codes(
                        "recipient.unknown",
                        "room.too-many",
                        "contact.secret-key",
                        "account.ambiguous",
                        "message.too-long",
                        "message.bad-text"),
                with,
                and,
                required("text", Type.TEXT, "empty for none"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.accept",
                "Lets a request in, so that it is a conversation like any other.",
                "The request was not let in",
                CHAT,
                codes("chat.unknown", "recipient.unknown", "room.too-many", "contact.secret-key", "account.ambiguous"),
                with,
                and,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.remove",
                "Takes a conversation away with all its messages, here only; nobody is told.",
                "The conversation was not taken away",
                object("removed", NUMBER.described("messages")),
                people,
                with,
                and,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "chat.typing",
                "Tells the others that the account writes; at most every few seconds, and kept nowhere.",
                "Nobody was told",
                object(),
                people,
                with,
                and,
                ACCOUNT_PARAM);
        Method.Param who = required("who", Type.TEXT, "contact, npub or nprofile");
        Shape blocked = object("blocked", listOf(TEXT).described("names or npubs"));
        add(
                Access.USER,
                false,
                "contact.block",
                "Nothing of this person is let in any more; she is not told.",
                "Nobody was blocked",
                blocked,
                codes("block.self", "recipient.unknown", "contact.secret-key", "account.ambiguous"),
                who,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "contact.unblock",
                "Lets somebody in again; what she wrote meanwhile is not there.",
                "Nobody was unblocked",
                blocked,
                codes("block.unknown", "recipient.unknown", "contact.secret-key", "account.ambiguous"),
                who,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "contact.blocked",
                "Who is blocked.",
                "Nobody was listed",
                blocked,
                codes("account.ambiguous"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "identity.settings",
                "What an identity tells others; changes what is given.",
                "The settings were not changed",
                object(
                        "account",
                        TEXT,
                        "receipts",
                        FLAG.described("authors learn that their messages were received and read"),
                        "typing",
                        FLAG.described("others see that this identity writes")),
                codes("account.ambiguous"),
                optional("receipts", Type.FLAG, "on or off"),
                optional("typing", Type.FLAG, "on or off"),
                ACCOUNT_PARAM);
    }

    private void declareBackups() {
        Shape snapshots = listOf(object(
                "number", NUMBER,
                "createdAt", NUMBER.described("epoch milliseconds; 0 if it does not open"),
                "records", NUMBER,
                "chunks", NUMBER,
                "whole", FLAG));
        Shape plans = object(
                "plans",
                listOf(object(
                        "directory", TEXT,
                        "seconds", NUMBER.described("between two; 0 if none is made by itself"),
                        "keep", NUMBER.described("0 for all"),
                        "lastNumber", NUMBER,
                        "lastAt", NUMBER.described("epoch milliseconds; 0 for never"),
                        "nextAt", NUMBER.described("epoch milliseconds; 0 for never"),
                        "problem", TEXT.described("why the last one was not made; empty if it was"))));
        Method.Param directory = required("directory", Type.TEXT, "from the root");
        Method.Param passphrase =
                optional("passphrase", Type.SECRET, "left out where this node knows the key; see backup.look");
        List<String> general = List.of(
                "backup.not-a-backup",
                "backup.bad-directory",
                "backup.inside-data",
                "backup.too-new",
                "backup.passphrase-needed",
                "backup.wrong-passphrase",
                "backup.locked",
                "backup.busy",
                "backup.damaged",
                "backup.io-error");
        add(
                Access.USER,
                false,
                "backup.look",
                "What a directory is: new, remembered (this node knows its key) or foreign (its passphrase is needed).",
                "The directory was not looked at",
                object("place", TEXT),
                general,
                directory);
        add(
                Access.USER,
                false,
                "backup.key",
                "Makes up a passphrase that nobody guesses; it is kept nowhere.",
                "No key was made up",
                object("key", TEXT));
        add(
                Access.USER,
                false,
                "backup.run",
                "Makes a snapshot; an absent or empty directory becomes a backup.",
                "The backup was not made",
                object(
                        "number", NUMBER,
                        "records", NUMBER,
                        "spaces", NUMBER,
                        "chunks", NUMBER,
                        "written", NUMBER.described("chunks that were not there yet"),
                        "bytesWritten", NUMBER,
                        "pauseMillis", NUMBER.described("for which writers waited at most")),
                joined(general, codes("key.weak-passphrase")),
                directory,
                passphrase);
        add(
                Access.USER,
                false,
                "backup.list",
                "The snapshots in a directory, newest first.",
                "The backups were not listed",
                object("snapshots", snapshots),
                general,
                directory,
                passphrase);
        add(
                Access.USER,
                false,
                "backup.plans",
                "The directories that this node knows the key of, and what is made there by itself.",
                "The backups were not listed",
                plans);
        add(
                Access.USER,
                false,
                "backup.verify",
                "Reads and opens everything in a directory.",
                "The backup was not verified",
                object("snapshots", snapshots, "chunks", NUMBER, "damaged", listOf(TEXT)),
                general,
                directory,
                passphrase);
        add(
                Access.USER,
                false,
                "backup.prune",
                "Removes all but the newest snapshots.",
                "Nothing or not everything was removed",
                object("snapshots", NUMBER.described("removed"), "kept", NUMBER, "chunks", NUMBER.described("removed")),
                general,
                directory,
                passphrase,
                required("keep", Type.NUMBER, "1 or more"));
        add(
                Access.USER,
                false,
                "backup.schedule",
                "Makes snapshots by itself from now on, the first at once.",
                "The plan was not changed",
                plans,
                joined(general, codes("key.weak-passphrase", "backup.bad-interval")),
                directory,
                passphrase,
                required("seconds", Type.NUMBER, "between two; 0 to stop"),
                optional("keep", Type.NUMBER, "how many stay; all if left out"));
        add(
                Access.USER,
                false,
                "backup.restore",
                "Brings a snapshot back into this node, which must have neither identities nor records.",
                "The backup was not brought back",
                object("number", NUMBER, "createdAt", NUMBER, "records", NUMBER, "identities", NUMBER),
                joined(general, codes("restore.not-empty", "restore.no-place", "backup.no-snapshot")),
                directory,
                passphrase,
                optional("snapshot", Type.NUMBER, "the newest if left out"));
        add(
                Access.USER,
                true,
                "backup.progress",
                "How far a backup, a verification or a restore is.",
                "Nothing is known about it",
                object("phase", TEXT.described("empty if nothing is done"), "done", NUMBER, "total", NUMBER));
    }

    private void declareMessages() {
        add(
                Access.USER,
                false,
                "fileserver.add",
                "Adds a file server of an identity, at the end of its list.",
                "The file server was not added",
                FILE_SERVERS,
                codes("fileserver.bad-url", "files.too-many-servers"),
                required("url", Type.TEXT, "http or https, a host and perhaps a port"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "fileserver.remove",
                "Takes a file server off the list of an identity; what lies there stays there.",
                "The file server was not removed",
                FILE_SERVERS,
                codes("fileserver.bad-url", "files.server-unknown"),
                required("url", Type.TEXT, "as listed"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "fileserver.list",
                "The file servers of an identity, in order.",
                "The file servers were not listed",
                FILE_SERVERS,
                List.of(),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "fileserver.probe",
                "Asks a file server what it takes; stores nothing there.",
                "The file server was not asked",
                object(
                        "server",
                        TEXT,
                        "takesCiphertext",
                        FLAG.described("whether it said that it takes encrypted files from this identity"),
                        "refusal",
                        TEXT.described("code; empty if it takes them"),
                        "largestBytes",
                        NUMBER.described("that it said it takes; -1 if it did not say"),
                        "resumes",
                        FLAG.described("whether an upload goes on where it broke off")),
                codes("files.server-unknown", "fileserver.unavailable", "egress.refused"),
                required("url", Type.TEXT, "as listed"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "file.put",
                "Encrypts a file and uploads it to the file servers of an identity, by itself and also after a crash.",
                "The file was not taken",
                object("job", TEXT),
                codes(
                        "files.no-server",
                        "file.absent",
                        "file.too-large",
                        "recipient.unknown",
                        "room.too-many",
                        "contact.secret-key"),
                required("path", Type.TEXT, "absolute, on the node's machine"),
                optional("to", Type.TEXT, "sends it as a message, too, as soon as a server has it"),
                optional("and", Type.TEXT, "up to 8 more, one in a line: the room of these people"),
                optional("name", Type.TEXT, "that those who get it see; without it the one of the file"),
                optional("type", Type.TEXT, "media type; found out without it"),
                optional("keepMetadata", Type.FLAG, "sends a picture with all that it tells"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "file.get",
                "Downloads a file, checks and decrypts it, by itself and also after a crash.",
                "The file is not fetched",
                object("job", TEXT),
                codes(
                        "file.bad-description",
                        "file.unknown-cipher",
                        "file.exists",
                        "file.absent",
                        "message.unknown",
                        "message.ambiguous",
                        "message.no-file"),
                optional("description", Type.TEXT, "as file.describe gave it"),
                optional("message", Type.TEXT, "instead: the id of a message with a file, or the beginning of it"),
                required("path", Type.TEXT, "absolute, on the node's machine"),
                optional("replace", Type.FLAG, "a file that is there is replaced"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "file.describe",
                "What is needed to get a file that was put: addresses, hashes and the key. Whoever has it can read the file.",
                "The file was not described",
                object("description", TEXT.described("a JSON array of tags as of kind 15, with url tags")),
                codes("files.job-unknown", "files.not-ready"),
                required("job", Type.TEXT, "of a file.put"));
        add(
                Access.USER,
                false,
                "file.jobs",
                "Transfers of files, the newest first.",
                "The transfers were not listed",
                object("jobs", listOf(FILE_JOB), "now", NUMBER),
                List.of(),
                optional("job", Type.TEXT, "only this one"),
                optional("limit", Type.NUMBER, "1 to 1000; 50 without it"));
        add(
                Access.USER,
                false,
                "file.cancel",
                "Ends a transfer; what a server has stays there.",
                "The transfer was not cancelled",
                object(),
                codes("files.job-unknown"),
                required("job", Type.TEXT, "as listed"));
        add(
                Access.USER,
                false,
                "file.retry",
                "Tries now what waits, and again what has failed.",
                "The transfer was not tried again",
                object(),
                codes("files.job-unknown"),
                required("job", Type.TEXT, "as listed"));
        add(
                Access.USER,
                false,
                "file.delete",
                "Takes a file back from every server that it is at.",
                "The file was not deleted",
                object(
                        "results",
                        listOf(object(
                                "server", TEXT, "outcome", TEXT.described("deleted, absent, or why not, as a code")))),
                codes("file.bad-description"),
                required("description", Type.TEXT, "as file.describe gave it"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.send",
                "Sends a text; when it answers, the message is durable and sent by itself.",
                "The message was not sent",
                MESSAGE,
                codes(
                        "message.empty",
                        "message.too-long",
                        "message.bad-text",
                        "recipient.unknown",
                        "room.too-many",
                        "contact.secret-key",
                        "account.ambiguous"),
                required("to", Type.TEXT, "contact, own identity, npub or nprofile"),
                optional("and", Type.TEXT, "up to 8 more, one in a line: a room of these people"),
                required("text", Type.TEXT, "up to 32 KiB of UTF-8"),
                ACCOUNT_PARAM);
        Method.Param message = required("message", Type.TEXT, "its id, or 4 hex digits or more of its beginning");
        add(
                Access.USER,
                false,
                "message.reply",
                "Answers a message before everybody in its room.",
                "The message was not sent",
                MESSAGE,
                codes(
                        "message.empty",
                        "message.too-long",
                        "message.bad-text",
                        "message.unknown",
                        "message.ambiguous",
                        "account.ambiguous"),
                message,
                required("text", Type.TEXT, "up to 32 KiB of UTF-8"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.react",
                "Reacts to a message before everybody in its room.",
                "The reaction was not sent",
                MESSAGE,
                codes("reaction.bad", "reaction.known", "message.unknown", "message.ambiguous", "account.ambiguous"),
                message,
                required("reaction", Type.TEXT, "a picture or a short word, up to 64 bytes, one line"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.delete",
                "Takes a message or reaction of one's own back: gone here, and everybody in the room is asked to delete it.",
                "The message was not deleted",
                MESSAGE,
                codes("message.not-yours", "message.unknown", "message.ambiguous", "account.ambiguous"),
                message,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.edit",
                "Changes the text of a message of one's own, here and at everybody whose client knows edits; others see it"
                        + " as a new message in the place of the old one.",
                "The message was not changed",
                MESSAGE,
                codes(
                        "message.not-yours",
                        "edit.same",
                        "message.empty",
                        "message.too-long",
                        "message.bad-text",
                        "message.unknown",
                        "message.ambiguous",
                        "account.ambiguous"),
                message,
                required("text", Type.TEXT, "up to 32 KiB of UTF-8"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.history",
                "The texts that a message had, oldest first; the last is the one that it has.",
                "The history was not read",
                object("versions", listOf(object("at", NUMBER.described("epoch milliseconds"), "text", TEXT))),
                codes("message.unknown", "message.ambiguous", "account.ambiguous"),
                message,
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.pin",
                "Keeps a message at hand in its conversation, or no longer; the others are not told.",
                "Nothing was pinned or unpinned",
                MESSAGE,
                codes("pin.too-many", "message.unknown", "message.ambiguous", "account.ambiguous"),
                message,
                optional("pinned", Type.FLAG, "no longer if it is left out or false"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.timer",
                "How long after they are written messages to these people are wiped; sets it if seconds is given.",
                "The timer was not set",
                object("seconds", NUMBER.described("0 for never")),
                codes("timer.out-of-range", "recipient.unknown", "room.too-many", "account.ambiguous"),
                required("with", Type.TEXT, "contact, own identity, npub or nprofile"),
                optional("and", Type.TEXT, "up to 8 more, one in a line: the room of these people"),
                optional("seconds", Type.NUMBER, "5 to 31536000, or 0 for never"),
                ACCOUNT_PARAM);
        add(
                Access.USER,
                false,
                "message.list",
                "The newest messages as they are to be read, late ones in their place; or those after a position in the"
                        + " order they appeared.",
                "The messages were not listed",
                object("messages", listOf(MESSAGE)),
                List.of(),
                ACCOUNT_PARAM,
                optional("after", Type.NUMBER, "only later positions"),
                optional("limit", Type.NUMBER, "1 to 1000; 50 if left out"));
        add(
                Access.USER,
                false,
                "message.follow",
                "Tells of each message from now on, or after a position, as message.event on this connection until it"
                        + " closes or the session is locked.",
                "The messages are not followed",
                object("after", NUMBER),
                codes("control.follows-already"),
                ACCOUNT_PARAM,
                optional("after", Type.NUMBER, "begin after this position"),
                optional(
                        "states",
                        Type.FLAG,
                        "tell as message.state, too, what state the newest outgoing messages are in, and each change"),
                optional("typing", Type.FLAG, "tell as typing.event, too, who writes just now"));
        add(
                Access.USER,
                false,
                "ledger.get",
                "Where every outgoing message is, per recipient.",
                "The ledger was not read",
                object(
                        "sent",
                        NUMBER,
                        "exact",
                        FLAG.described("each recipient is in exactly one state"),
                        "byState",
                        COUNTS,
                        "entries",
                        listOf(ENTRY),
                        "now",
                        NUMBER.described("epoch milliseconds")),
                codes("message.unknown", "message.ambiguous"),
                optional("message", Type.TEXT, "only this message: its id or the beginning of it"),
                optional("limit", Type.NUMBER, "entries, 0 to 1000; 50 if left out"));
    }

    private void declareOperation() {
        add(
                Access.OPERATOR,
                false,
                "drops.list",
                "What relays sent and this node threw away since its start, by code; for a circle, the wraps for it.",
                "The counters were not given",
                object("drops", COUNTS));
        add(
                Access.OPERATOR,
                false,
                "egress.log",
                "The newest attempts to reach another machine, the newest last.",
                "The egress log was not read",
                object("entries", listOf(EGRESS)),
                List.of(),
                optional("limit", Type.NUMBER, "1 to 1000; 50 if left out"));
        add(
                Access.OPERATOR,
                false,
                "slots.list",
                "What fills each slot.",
                "The slots were not listed",
                object("slots", listOf(SLOT)));
        add(
                Access.OPERATOR,
                false,
                "slots.swap",
                "Lets another instance fill a slot while the node works.",
                "Nothing was swapped",
                SWAP,
                codes(
                        "swap.unknown-slot",
                        "swap.unknown-instance",
                        "swap.same",
                        "swap.no-handover",
                        "swap.not-written",
                        "swap.busy",
                        "swap.cannot-catch-up",
                        "swap.target-not-empty",
                        "handover.differs",
                        "handover.cancelled",
                        "handover.too-busy",
                        "slot.test-only"),
                required("slot", Type.TEXT, "its name"),
                required("instance", Type.TEXT, "PID~name of a candidate"),
                optional("why", Type.TEXT, "for the journal"));
        add(
                Access.OPERATOR,
                false,
                "slots.undo",
                "Takes the newest swap back that was not taken back yet.",
                "Nothing was taken back",
                SWAP,
                codes(
                        "swap.nothing-to-undo",
                        "swap.unknown-instance",
                        "swap.not-written",
                        "swap.busy",
                        "swap.cannot-catch-up",
                        "handover.differs",
                        "handover.cancelled",
                        "handover.too-busy"),
                optional("why", Type.TEXT, "for the journal"));
        add(
                Access.OPERATOR,
                false,
                "slots.progress",
                "Slots whose contents move, or whose former part is kept up to date.",
                "The handovers were not listed",
                object("slots", listOf(MOVING)));
        add(
                Access.OPERATOR,
                false,
                "slots.cancel",
                "Has a handover that copies or compares give up; the old part serves on.",
                "Nothing was called off",
                object(),
                codes("swap.unknown-slot"),
                required("slot", Type.TEXT, "its name"));
        add(
                Access.OPERATOR,
                false,
                "slots.compare",
                "Compares what a slot keeps with what its former part keeps, row by row, while both are used.",
                "Nothing was compared",
                COMPARED,
                codes("swap.unknown-slot", "swap.no-window", "handover.differs", "handover.cancelled"),
                required("slot", Type.TEXT, "its name"));
        add(
                Access.OPERATOR,
                false,
                "slots.finish",
                "Stops keeping the former part up to date and closes it; its files stay.",
                "Nothing was finished",
                object("former", TEXT),
                codes("swap.unknown-slot", "swap.no-window"),
                required("slot", Type.TEXT, "its name"));
        add(
                Access.OPERATOR,
                false,
                "slots.leftovers",
                "Classes of uninstalled bundles that are still in memory, and what holds them; collects garbage first.",
                "The leftovers were not looked for",
                object("leftovers", listOf(LEFTOVER)));
    }

    private void declareStack() {
        Method.Param why = optional("why", Type.TEXT, "for the journal");
        Method.Param plan = optional("plan", Type.TEXT, "as a plan was named; refused if it would be another one now");
        Method.Param file = required("file", Type.TEXT, "path of the stack file, absolute; this machine reads it");
        Method.Param jar = required("file", Type.TEXT, "path of the plugin, absolute; this machine reads it");
        Method.Param signature =
                optional("signature", Type.TEXT, "path of its signature; the plugin's with .sig behind it if left out");
        Method.Param plugin = required("plugin", Type.TEXT, "its symbolic name");
        add(
                Access.OPERATOR,
                false,
                "stack.show",
                "What this node is made of beside its distribution.",
                "The stack was not shown",
                object(
                        "generation",
                        NUMBER,
                        "features",
                        listOf(TEXT),
                        "plugins",
                        listOf(PLUGIN),
                        "overrides",
                        listOf(object("pid", TEXT, "properties", TEXT.described("a JSON object"))),
                        "slots",
                        listOf(object("slot", TEXT, "select", listOf(TEXT))),
                        "restartNeeded",
                        FLAG.described("the next start runs something else than runs now"),
                        "undo",
                        TEXT.described("the act that an undo takes back; empty if there is none"),
                        "undoWords",
                        TEXT),
                codes("stack.tampered"));
        add(
                Access.OPERATOR,
                false,
                "stack.export",
                "The same as a stack file; applying it here changes nothing.",
                "The stack was not exported",
                object("text", TEXT),
                codes("stack.tampered"));
        add(
                Access.OPERATOR,
                false,
                "stack.plan",
                "What applying a stack file would change, checked.",
                "Nothing was planned",
                PLAN,
                joined(PLUGIN_CODES, STACK_CODES),
                file);
        add(
                Access.OWNER,
                false,
                "stack.apply",
                "Makes the node what a stack file says, as one act.",
                "Nothing was changed",
                ACT,
                joined(PLUGIN_CODES, STACK_CODES, ACT_CODES),
                file,
                plan,
                why);
        add(
                Access.OWNER,
                false,
                "stack.undo",
                "Takes the newest act or swap back that was not taken back yet, also after a restart.",
                "Nothing was taken back",
                object(
                        "act",
                        TEXT,
                        "generation",
                        NUMBER,
                        "changes",
                        listOf(TEXT),
                        "swaps",
                        listOf(object(
                                "slot",
                                TEXT,
                                "from",
                                TEXT,
                                "to",
                                TEXT,
                                "inFlight",
                                NUMBER,
                                "cut",
                                NUMBER,
                                "longestPauseMicros",
                                NUMBER)),
                        "verdict",
                        TEXT,
                        "words",
                        TEXT,
                        "undone",
                        TEXT.described("what was taken back")),
                joined(PLUGIN_CODES, ACT_CODES, codes("stack.nothing-to-undo", "stack.other-distribution")),
                why);
        add(
                Access.OPERATOR,
                false,
                "plugin.list",
                "The plugins of this node, who signed them, and what they reach.",
                "The plugins were not listed",
                object("plugins", listOf(PLUGIN)),
                codes("stack.tampered"));
        add(
                Access.OPERATOR,
                false,
                "plugin.plan",
                "What installing, upgrading or removing a plugin would change, checked.",
                "Nothing was planned",
                PLAN,
                joined(PLUGIN_CODES, codes("param.invalid")),
                required("act", Type.TEXT, "install, upgrade or remove"),
                optional("file", Type.TEXT, "path of the plugin, absolute; for install and upgrade"),
                signature,
                optional("plugin", Type.TEXT, "its symbolic name; for remove"));
        add(
                Access.OWNER,
                false,
                "plugin.install",
                "Installs a plugin; its instances are candidates then and fill no slot yet.",
                "Nothing was changed",
                ACT,
                joined(PLUGIN_CODES, ACT_CODES, codes("plugin.installed")),
                jar,
                signature,
                plan,
                why);
        add(
                Access.OWNER,
                false,
                "plugin.upgrade",
                "Installs a newer version beside the old one, swaps the slots it fills, and takes the old one away.",
                "Nothing was changed",
                ACT,
                joined(PLUGIN_CODES, ACT_CODES, codes("plugin.not-installed")),
                jar,
                signature,
                plan,
                why);
        add(
                Access.OWNER,
                false,
                "plugin.remove",
                "Takes a plugin away; slots that it fills go back to what the distribution selects.",
                "Nothing was changed",
                ACT,
                joined(PLUGIN_CODES, ACT_CODES),
                plugin,
                plan,
                why);
    }

    private Schema() {}

    private static List<String> codes(String... codes) {
        return List.of(codes);
    }

    @SafeVarargs
    private static List<String> joined(List<String>... lists) {
        List<String> all = new ArrayList<>();
        for (List<String> list : lists) {
            all.addAll(list);
        }
        return all;
    }

    private void add(Access scope, boolean whileLocked, String name, String summary, String failed, Shape result) {
        add(scope, whileLocked, name, summary, failed, result, List.of());
    }

    private void add(
            Access scope,
            boolean whileLocked,
            String name,
            String summary,
            String failed,
            Shape result,
            List<String> errors,
            Method.Param... params) {
        List<Method.Param> all = new ArrayList<>(List.of(params));
        List<String> codes = new ArrayList<>(errors);
        if (IN_CIRCLES.contains(name) || GROUPS_IN_CIRCLES.contains(name.substring(0, name.indexOf('.')))) {
            all.add(CIRCLE_PARAM);
            codes.add("circle.unknown");
        }
        methods.put(name, new Method(name, scope, whileLocked, summary, failed + ".", all, result, codes));
    }

    /** The method of that name; null if there is none. */
    static @Nullable Method find(String name) {
        return METHODS.get(name);
    }

    /** All, in the order of the schema. */
    static List<Method> all() {
        return List.copyOf(METHODS.values());
    }

    /** The notification that {@code message.follow} sends; its parameters are one message. */
    static Shape messageEvent() {
        return MESSAGE;
    }

    /** The notification of a state; its parameters are a message without its text. */
    static Shape stateEvent() {
        return STATE;
    }

    /** The whole schema as an OpenRPC document. */
    static Map<String, Object> discover() {
        Map<String, Object> info = new LinkedHashMap<>();
        info.put("title", "Parley control");
        info.put("version", VERSION);
        List<Map<String, Object>> methods = new ArrayList<>();
        METHODS.values().forEach(method -> methods.add(method.toSchema()));
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("name", "message.event");
        event.put("params", MESSAGE.toSchema());
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("openrpc", "1.3.2");
        document.put("info", info);
        document.put("methods", methods);
        Map<String, Object> state = new LinkedHashMap<>();
        state.put("name", "message.state");
        state.put("params", STATE.toSchema());
        document.put("x-notifications", List.of(event, state));
        return document;
    }
}
