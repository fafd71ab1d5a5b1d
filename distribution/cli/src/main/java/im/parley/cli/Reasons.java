package im.parley.cli;

/** Why a message waits or failed, or a relay is not connected: sentences for the node's codes. */
final class Reasons {
    private Reasons() {}

    /** A sentence without its full stop, with the code in brackets; empty for no code. */
    static String told(String code, String sender) {
        if (code.isEmpty()) {
            return "";
        }
        String safe = Plain.line(code);
        String sentence = sentence(code, sender);
        return sentence.isEmpty() ? "[" + safe + "]" : sentence + " [" + safe + "]";
    }

    /** @param sender own identity that the message is from; empty if unknown */
    private static String sentence(String code, String sender) {
        return switch (code) {
            case "recipient.no-relays" -> "she published no inbox relays yet";
            case "recipient.look-up" -> "her inbox relays could not be looked up yet";
            case "relay.private", "egress.private" -> "her relay is a private address you have not added";
            case "signer.locked", "vault.locked" ->
                "your key is locked: ./parley identity unlock" + (sender.isEmpty() ? "" : " " + Shell.quoted(sender));
            case "egress.refused",
                    "egress.failed",
                    "egress.interrupted",
                    "relay.lost",
                    "relay.absent",
                    "relay.closed",
                    "transport.closed",
                    "transport.failed" -> "relay unreachable";
            case "egress.unresolved" -> "relay unreachable: there is no machine of that name";
            case "egress.timeout", "relay.timeout", "relay.no-answer", "relay.silent" ->
                "relay unreachable: no answer in time";
            case "egress.busy", "transport.busy" -> "too many connections are being made at once";
            case "egress.bad-host", "relay.bad-url" -> "the relay's address cannot be used";
            case "tls.untrusted" -> "the relay's certificate is not trusted";
            case "tls.failed" -> "no secure connection to the relay";
            case "relay.not-websocket" -> "there is no relay at that address";
            case "relay.redirect" -> "the relay points to another address";
            case "relay.forbidden" -> "the relay lets nobody in";
            case "relay.overloaded", "relay.rate-limited" -> "the relay asks to wait";
            case "relay.error" -> "the relay has a fault";
            case "relay.misbehaving", "relay.overrun" -> "the relay does not keep to the rules";
            case "clock.skew" -> "this machine's clock is wrong by minutes or more, says the relay";
            case "auth.no-challenge",
                    "auth.no-signer",
                    "auth.timeout",
                    "auth.wrong-signer",
                    "relay.auth-refused",
                    "relay.auth-required" -> "the relay did not accept who you are";
            case "relay.refused",
                    "relay.blocked",
                    "relay.invalid",
                    "relay.restricted",
                    "relay.pow",
                    "relay.mute",
                    "relay.unsupported" -> "the relay refused it";
            case "message.expired" -> "its time ran out before it could be sent";
            default -> code.startsWith("store.") ? "this node's store failed" : "";
        };
    }
}
