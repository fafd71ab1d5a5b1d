package im.parley.bunker.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.bunker.Bunker;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.protocol.EventWriter;
import im.parley.protocol.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/**
 * Where one client is served. Before it is connected the secret alone is looked at; afterwards its key alone. Every request is
 * answered once, refusals too; what comes from somebody else is not answered. Thread-safe; may block on disk.
 */
final class Desk {
    /** How old or new a request may be: what a relay kept to send it again is older soon. */
    static final Duration WINDOW = Duration.ofMinutes(10);

    private static final int MAX_SEEN = 4_096;
    private static final int MAX_WRONG_SECRETS = 10;
    /** A client that reads an inbox asks twice for each message. */
    private static final double BURST = 300;

    private static final double PER_SECOND = 20;
    private static final double STRANGERS = 20;
    private static final double STRANGERS_PER_SECOND = 0.5;

    /** What a desk needs of its surroundings. */
    interface Office {
        /** Keeps the admission; durable when it returns. */
        void keep(Admission admission) throws ProviderException;

        /** The client ended it. */
        void leave(Admission admission) throws ProviderException;

        /** Publishes to the client's relays. */
        void publish(Admission admission, Event event);

        void dropped(String code);
    }

    private final Office office;
    private final RpcKey key;
    private final Signer signer;
    private final InstantSource clock;
    private final Allowance requests;
    private final Allowance strangers;
    private final Map<EventId, Boolean> seen = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<EventId, Boolean> eldest) {
            return size() > MAX_SEEN;
        }
    };
    private volatile Admission admission;
    private volatile long lastAsked;
    private volatile boolean closed;
    private int wrongSecrets;

    Desk(Office office, Admission admission, RpcKey key, Signer signer, InstantSource clock) {
        this.office = office;
        this.admission = admission;
        this.key = key;
        this.signer = signer;
        this.clock = clock;
        this.requests = new Allowance(clock, BURST, PER_SECOND);
        this.strangers = new Allowance(clock, STRANGERS, STRANGERS_PER_SECOND);
    }

    Admission admission() {
        return admission;
    }

    Bunker.Client shown() {
        Admission now = admission;
        PublicKey client = now.client();
        return new Bunker.Client(
                now.name(),
                now.identity(),
                key.publicKey(),
                client == null ? "" : client.hex(),
                now.grant(),
                now.relays(),
                now.invited(),
                lastAsked);
    }

    void close() {
        closed = true;
        key.close();
    }

    void arrived(Event event) {
        if (closed || event.kind() != Rpc.KIND) {
            return;
        }
        PublicKey client = admission.client();
        if (client != null && !event.pubkey().equals(client)) {
            office.dropped("bunker.stranger");
            return;
        }
        long now = clock.instant().getEpochSecond();
        if (Math.abs(now - event.createdAt()) > WINDOW.toSeconds()) {
            office.dropped("bunker.stale");
            return;
        }
        synchronized (seen) {
            if (seen.put(event.id(), true) != null) {
                return;
            }
        }
        if (client == null && !strangers.take()) {
            office.dropped("bunker.rate-limited");
            return;
        }
        Rpc.Request request;
        try {
            request = Rpc.readRequest(key.open(event));
        } catch (ProviderException | ProtocolException e) {
            office.dropped("bunker.unreadable");
            return;
        }
        if (client == null) {
            admit(event.pubkey(), request);
            return;
        }
        if (!requests.take()) {
            refuse(client, request, "rate-limited: ask more slowly");
            return;
        }
        lastAsked = now;
        serve(client, request);
    }

    private synchronized void admit(PublicKey stranger, Rpc.Request request) {
        if (admission.client() != null || !request.method().equals("connect")) {
            office.dropped("bunker.stranger");
            return;
        }
        Admission now = admission;
        boolean late = clock.instant().getEpochSecond() - now.invited() > Bunker.INVITATION.toSeconds();
        boolean right = now.secretHash().length > 0
                && MessageDigest.isEqual(now.secretHash(), hash(request.param(1)))
                && request.param(0).equals(key.publicKey().hex());
        try {
            if (late || !right) {
                office.dropped(late ? "bunker.expired" : "bunker.wrong-secret");
                if (++wrongSecrets >= MAX_WRONG_SECRETS && now.secretHash().length > 0) {
                    Admission without = now.withoutSecret();
                    office.keep(without);
                    admission = without;
                }
                refuse(stranger, request, "this invitation is not valid, or no longer");
                return;
            }
            Admission connected = now.with(stranger);
            // Used up before it is answered, so that it admits nobody else whatever happens next.
            office.keep(connected);
            admission = connected;
            answer(stranger, request, "ack");
        } catch (ProviderException e) {
            refuse(stranger, request, e.code());
        }
    }

    static byte[] hash(String secret) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private void serve(PublicKey client, Rpc.Request request) {
        switch (request.method()) {
            case "connect" -> answer(client, request, "ack");
            case "ping" -> answer(client, request, "pong");
            case "get_public_key" ->
                answer(client, request, admission.identity().hex());
            case "switch_relays" -> answer(client, request, "null");
            case "sign_event" -> finish(client, request, sign(request.param(0)));
            case "nip44_encrypt" ->
                finish(client, request, with(request.param(0), peer -> signer.nip44Encrypt(peer, request.param(1))));
            case "nip44_decrypt" ->
                finish(client, request, with(request.param(0), peer -> signer.nip44Decrypt(peer, request.param(1))));
            case "nip04_encrypt", "nip04_decrypt" ->
                refuse(client, request, "nip04 is not authenticated and is not done here; use nip44");
            case "logout" -> {
                answer(client, request, "ack");
                try {
                    office.leave(admission);
                } catch (ProviderException e) {
                    office.dropped("bunker.not-kept");
                }
            }
            default -> refuse(client, request, "unsupported method");
        }
    }

    private CompletionStage<String> sign(String unsigned) {
        Rpc.Unsigned asked;
        try {
            asked = Rpc.readUnsigned(unsigned);
        } catch (ProtocolException e) {
            return failed("bunker.bad-event", "this is no event: " + e.getMessage());
        }
        if (asked.pubkey() != null && !asked.pubkey().equals(admission.identity())) {
            return failed("sign.other-identity", "the event names another author");
        }
        int kind = asked.template().kind();
        if (!admission.grant().allows(kind)) {
            return failed("sign.kind-denied", "kind " + kind + " was not granted to this client");
        }
        return signer.sign(asked.template(), Purpose.DELEGATED).thenApply(EventWriter::write);
    }

    @FunctionalInterface
    private interface Crypt {
        CompletionStage<String> with(PublicKey peer);
    }

    private CompletionStage<String> with(String peer, Crypt crypt) {
        if (!admission.grant().nip44()) {
            return failed("nip44.denied", "encryption was not granted to this client");
        }
        try {
            return crypt.with(PublicKey.ofHex(peer));
        } catch (IllegalArgumentException e) {
            return failed("crypto.bad-pubkey", "this is no public key");
        }
    }

    private static CompletionStage<String> failed(String code, String text) {
        return CompletableFuture.failedFuture(new ProviderException(Kind.REJECTED, code, text));
    }

    private void finish(PublicKey client, Rpc.Request request, CompletionStage<String> result) {
        result.whenComplete((value, failure) -> {
            if (failure == null) {
                answer(client, request, value);
                return;
            }
            Throwable cause =
                    failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
            refuse(
                    client,
                    request,
                    cause instanceof ProviderException expected
                            ? expected.code() + ": " + expected.getMessage()
                            : "internal error");
        });
    }

    private void answer(PublicKey client, Rpc.Request request, String result) {
        send(client, new Rpc.Response(request.id(), result, null));
    }

    private void refuse(PublicKey client, Rpc.Request request, String error) {
        send(client, new Rpc.Response(request.id(), null, error));
    }

    private void send(PublicKey client, Rpc.Response response) {
        if (closed) {
            return;
        }
        try {
            office.publish(admission, key.seal(client, Rpc.write(response)));
        } catch (ProviderException e) {
            office.dropped("bunker.unanswered");
        }
    }
}
