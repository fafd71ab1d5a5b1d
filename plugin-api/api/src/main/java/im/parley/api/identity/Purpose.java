package im.parley.api.identity;

/** What a signature is for. A signer refuses a kind that its purpose does not cover. */
public enum Purpose {
    /** The seal of a gift wrap, kind 13 (NIP-59). */
    SEAL,
    /** Authentication to a relay, kind 22242 (NIP-42). */
    RELAY_AUTH,
    /** The user's relay lists, kinds 10002 and 10050 (NIP-65, NIP-17). */
    RELAY_LIST,
    /** Authorization to a file server, kind 24242 (BUD-11). */
    FILE_AUTH,
    /** The user's list of file servers, kind 10063 (BUD-03). */
    FILE_SERVER_LIST,
    /** What a program asks for that the user admitted (NIP-46). Covers every kind: whoever asks has checked what was granted. */
    DELEGATED;

    /** Whether an event of that kind may be signed for this purpose. */
    public boolean covers(int kind) {
        return switch (this) {
            case SEAL -> kind == 13;
            case RELAY_AUTH -> kind == 22242;
            case RELAY_LIST -> kind == 10002 || kind == 10050;
            case FILE_AUTH -> kind == 24242;
            case FILE_SERVER_LIST -> kind == 10063;
            case DELEGATED -> true;
        };
    }
}
