package im.parley.identity.remote;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.RelayAccess;
import im.parley.nip46.Rpc;
import im.parley.nip46.RpcKey;
import im.parley.protocol.ProtocolException;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One remote signer: asks it on its relays and no others, and takes answers from its key alone, to questions that are open
 * alone. Listens from the first question on. Thread-safe; nothing blocks.
 */
final class SignerSession implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SignerSession.class);

    static final Duration PATIENCE = Duration.ofSeconds(60);
    /** From the moment on that the signer asked its user. */
    static final Duration APPROVAL = Duration.ofMinutes(3);

    private static final Duration PUBLISHING = Duration.ofSeconds(30);
    private static final int MAX_OPEN = 1_000;
    private static final int ID = 16;
    private static final int MAX_SAID = 200;

    private final RpcKey key;
    private final PublicKey signer;
    private final RelayAccess access;
    private final SecureRandom random;
    private final Executor executor;
    private final ScheduledExecutorService timer;
    private final Consumer<String> drop;
    private final Map<String, Question> open = new ConcurrentHashMap<>();
    private final Map<URI, AutoCloseable> listening = new HashMap<>();
    private volatile List<URI> relays;
    private volatile boolean closed;

    /** One request that waits for its answer. */
    private static final class Question {
        final CompletableFuture<String> answer = new CompletableFuture<>();
        volatile @Nullable ScheduledFuture<?> timeout;
        volatile String approval = "";
    }

    /** @param drop told the code of each event that was ignored */
    SignerSession(
            ProviderContext context,
            KeptSession kept,
            RpcKey key,
            ScheduledExecutorService timer,
            Consumer<String> drop) {
        this.key = key;
        this.signer = kept.signer();
        // By the client's key, which belongs to this connection alone: two signers share no connection to a relay.
        this.access = context.relays(kept.scope(), key.publicKey().hex().substring(0, 16));
        this.random = context.random();
        this.executor = context.executor();
        this.timer = timer;
        this.drop = drop;
        this.relays = kept.relays();
    }

    List<URI> relays() {
        return relays;
    }

    /** Asks on these relays from now on. */
    synchronized void switchTo(List<URI> next) {
        relays = List.copyOf(next);
        listening.entrySet().removeIf(entry -> {
            if (!next.contains(entry.getKey())) {
                end(entry.getValue());
                return true;
            }
            return false;
        });
    }

    /** Where the signer wants its user to look, for any open question; empty if nowhere. */
    String approval() {
        return open.values().stream()
                .map(question -> question.approval)
                .filter(url -> !url.isEmpty())
                .findFirst()
                .orElse("");
    }

    /** The result as the signer gave it; {@code null} as a text where it gave none. */
    CompletionStage<String> ask(String method, List<String> params, Duration patience) {
        byte[] number = new byte[ID];
        random.nextBytes(number);
        String id = HexFormat.of().formatHex(number);
        Question question = new Question();
        if (open.size() >= MAX_OPEN) {
            return CompletableFuture.failedFuture(new ProviderException(
                    Kind.EXHAUSTED, "nip46.busy", "The remote signer has too much to do. Try again later."));
        }
        open.put(id, question);
        question.answer.whenComplete((result, failure) -> {
            open.remove(id);
            ScheduledFuture<?> timeout = question.timeout;
            if (timeout != null) {
                timeout.cancel(false);
            }
        });
        try {
            expireAfter(question, patience);
            executor.execute(() -> send(new Rpc.Request(id, method, params), question));
        } catch (RejectedExecutionException e) {
            question.answer.completeExceptionally(closing());
        }
        if (closed) {
            question.answer.completeExceptionally(closing());
        }
        return question.answer;
    }

    private void expireAfter(Question question, Duration patience) {
        ScheduledFuture<?> before = question.timeout;
        if (before != null) {
            before.cancel(false);
        }
        question.timeout = timer.schedule(
                () -> question.answer.completeExceptionally(new ProviderException(
                        Kind.TIMEOUT,
                        "nip46.timeout",
                        "The remote signer did not answer in time. See that it runs and reaches its relays.")),
                patience.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    private void send(Rpc.Request request, Question question) {
        try {
            List<URI> to = relays;
            listen(to);
            Event event = key.seal(signer, Rpc.write(request));
            AtomicInteger left = new AtomicInteger(to.size());
            for (URI relay : to) {
                access.publish(relay, event, PUBLISHING).whenComplete((accepted, failure) -> {
                    boolean failed = failure != null || !Boolean.TRUE.equals(accepted);
                    if (failed && left.decrementAndGet() == 0) {
                        question.answer.completeExceptionally(new ProviderException(
                                Kind.UNAVAILABLE,
                                "nip46.unreachable",
                                "None of the relays of the remote signer took the request. Try again later."));
                    }
                });
            }
        } catch (ProviderException e) {
            question.answer.completeExceptionally(e);
        } catch (RuntimeException e) {
            LOG.warn("A request to a remote signer was not sent.", e);
            question.answer.completeExceptionally(
                    new ProviderException(Kind.INTERNAL, "nip46.failed", "The request was not sent; see the log."));
        }
    }

    private synchronized void listen(List<URI> to) throws ProviderException {
        if (closed) {
            throw closing();
        }
        Filter filter = Filter.builder()
                .kinds(List.of(Rpc.KIND))
                .authors(List.of(signer))
                .tag('p', List.of(key.publicKey().hex()))
                .limit(0)
                .build();
        for (URI relay : to) {
            if (!listening.containsKey(relay)) {
                listening.put(relay, access.listen(relay, filter, this::arrived));
            }
        }
    }

    /** Whatever a relay handed over; who wrote it is looked at here again. */
    void arrived(Event event) {
        if (event.kind() != Rpc.KIND || !event.pubkey().equals(signer)) {
            drop.accept("nip46.bad-sender");
            return;
        }
        Rpc.Response response;
        try {
            response = Rpc.readResponse(key.open(event));
        } catch (ProviderException | ProtocolException e) {
            drop.accept("nip46.unreadable");
            return;
        }
        Question question = open.get(response.id());
        if (question == null) {
            drop.accept("nip46.no-request");
            return;
        }
        String error = response.error();
        String result = response.result();
        if ("auth_url".equals(result)) {
            String url = ApprovalUrl.checked(error);
            if (url == null) {
                drop.accept("nip46.bad-auth-url");
            } else if (question.approval.isEmpty()) {
                question.approval = url;
                expireAfter(question, APPROVAL);
            }
            return;
        }
        try {
            executor.execute(() -> complete(question, result, error));
        } catch (RejectedExecutionException e) {
            question.answer.completeExceptionally(closing());
        }
    }

    private static void complete(Question question, @Nullable String result, @Nullable String error) {
        if (error != null && !error.isEmpty()) {
            question.answer.completeExceptionally(new ProviderException(
                    Kind.REJECTED, "nip46.refused", "The remote signer refused: " + readable(error) + "."));
        } else {
            question.answer.complete(result == null ? "null" : result);
        }
    }

    /** What a signer says is foreign: short and without controls. */
    private static String readable(String text) {
        StringBuilder clean = new StringBuilder();
        text.codePoints()
                .limit(MAX_SAID)
                .map(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? ' ' : c)
                .forEach(clean::appendCodePoint);
        return clean.toString().strip();
    }

    private static ProviderException closing() {
        return new ProviderException(
                Kind.UNAVAILABLE, "identity.closed", "This identity provider was closed. Open a signer anew.");
    }

    private static void end(AutoCloseable handle) {
        try {
            handle.close();
        } catch (Exception e) {
            LOG.debug("a subscription was gone already", e);
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            listening.values().forEach(SignerSession::end);
            listening.clear();
        }
        open.values().forEach(question -> question.answer.completeExceptionally(closing()));
        key.close();
    }
}
