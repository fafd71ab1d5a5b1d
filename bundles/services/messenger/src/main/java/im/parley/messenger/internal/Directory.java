package im.parley.messenger.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.outbox.Failures;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.relayclient.Persona;
import im.parley.vault.SealedSpace;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Knows where people can be written to: own accounts from the records, everybody else from her newest kind 10050 at the
 * user's relays and at hints. Addresses other people name are only ever asked or written to through the egress, which
 * refuses private ones that the user did not name. Thread-safe; nothing blocks.
 */
final class Directory {
    /** A list this young is taken without asking again. */
    private static final Duration FRESH = Duration.ofMinutes(15);
    /** Who was not found is not asked for more often. */
    private static final Duration RETRY = Duration.ofSeconds(4);

    private static final Duration TIMEOUT = Duration.ofSeconds(8);
    /** Once one relay has answered, the others may take this long before the message goes. */
    private static final Duration GRACE = Duration.ofMillis(1_500);

    private static final int MAX_ASKED = 12;

    private final Scope scope;
    private final SealedSpace space;
    private final Services services;
    private final Work work;
    /** Tells that somebody's relays became known. */
    private final Runnable found;

    private final Map<PublicKey, CompletableFuture<Peer>> running = new HashMap<>();
    private final Map<PublicKey, Instant> failed = new HashMap<>();

    Directory(Scope scope, SealedSpace space, Services services, Work work, Runnable found) {
        this.scope = scope;
        this.space = space;
        this.services = services;
        this.work = work;
        this.found = found;
    }

    /** What is known of a recipient before anybody is asked. */
    private record Known(@Nullable Account own, Peer peer, List<URI> userRelays) {}

    /** See {@code OutboxHost.relaysOf}. */
    CompletionStage<List<URI>> relaysOf(PublicKey recipient) {
        CompletableFuture<List<URI>> result = new CompletableFuture<>();
        boolean begun = work.beside(() -> {
            try {
                Known known = known(recipient);
                if (known.own() != null) {
                    result.complete(known.own().relays());
                    return;
                }
                Duration age = Duration.between(
                        Instant.ofEpochMilli(known.peer().askedAt()),
                        services.clock().instant());
                boolean fresh = !age.isNegative() && age.compareTo(FRESH) < 0;
                if (known.peer().relays().isEmpty()) {
                    ask(recipient, known).whenComplete(to(result));
                } else {
                    if (!fresh) {
                        ask(recipient, known);
                    }
                    result.complete(known.peer().relays());
                }
            } catch (ProviderException | RuntimeException e) {
                result.completeExceptionally(Failures.of(e));
            }
        });
        if (!begun) {
            result.completeExceptionally(closed());
        }
        return result;
    }

    /** Asks now, whatever is known. */
    CompletionStage<List<URI>> refresh(PublicKey recipient) {
        CompletableFuture<List<URI>> result = new CompletableFuture<>();
        boolean begun = work.beside(() -> {
            try {
                synchronized (running) {
                    failed.remove(recipient);
                }
                Known known = known(recipient);
                if (known.own() != null) {
                    result.complete(known.own().relays());
                } else {
                    ask(recipient, known).whenComplete(to(result));
                }
            } catch (ProviderException | RuntimeException e) {
                result.completeExceptionally(Failures.of(e));
            }
        });
        if (!begun) {
            result.completeExceptionally(closed());
        }
        return result;
    }

    /** The user named another relay: who was not found may be there. */
    void forgetFailures() {
        synchronized (running) {
            failed.clear();
        }
    }

    private static java.util.function.BiConsumer<@Nullable Peer, @Nullable Throwable> to(
            CompletableFuture<List<URI>> result) {
        return (peer, failure) -> {
            if (peer != null) {
                result.complete(peer.relays());
            } else {
                result.completeExceptionally(failure == null ? closed() : Failures.of(failure));
            }
        };
    }

    private static ProviderException closed() {
        return new ProviderException(Kind.UNAVAILABLE, "messenger.closed", "The messenger is being stopped.");
    }

    private Known known(PublicKey recipient) throws ProviderException {
        return space.transact(tx -> {
            Account own = null;
            Set<URI> relays = new LinkedHashSet<>();
            for (Account account : Book.accounts(tx)) {
                own = account.pubkey().equals(recipient) ? account : own;
                relays.addAll(account.relays());
            }
            return new Known(own, Book.peer(tx, recipient), List.copyOf(relays));
        });
    }

    private CompletableFuture<Peer> ask(PublicKey recipient, Known known) {
        Set<URI> asked = new LinkedHashSet<>(known.userRelays());
        asked.addAll(known.peer().hints());
        asked.addAll(known.peer().relays());
        CompletableFuture<Peer> result = new CompletableFuture<>();
        synchronized (running) {
            CompletableFuture<Peer> other = running.get(recipient);
            if (other != null) {
                return other;
            }
            Instant last = failed.get(recipient);
            if (last != null && services.clock().instant().isBefore(last.plus(RETRY))) {
                return CompletableFuture.completedFuture(known.peer());
            }
            running.put(recipient, result);
        }
        Round round = new Round(recipient, known.peer(), result, Math.min(asked.size(), MAX_ASKED));
        if (asked.isEmpty()) {
            round.end();
            return result;
        }
        Filter filter = Filter.builder()
                .kinds(List.of(Kinds.DM_RELAYS))
                .authors(List.of(recipient))
                .build();
        // Nobody in particular asks: a relay shall not learn who is about to write to whom.
        Persona nobody = Persona.anonymous(scope, "lookup");
        asked.stream()
                .limit(MAX_ASKED)
                .forEach(relay -> services.relays()
                        .fetch(nobody, relay, filter, TIMEOUT)
                        .whenComplete((events, failure) -> round.answered(failure == null ? events : null)));
        work.later(GRACE, round::graceIsOver);
        return result;
    }

    /** One look-up at several relays. */
    private final class Round {
        private final PublicKey recipient;
        private final CompletableFuture<Peer> result;
        private final int asked;
        // Guarded by this.
        private Peer best;
        private int answers;
        private int open;
        private boolean better;
        private boolean grace = true;

        Round(PublicKey recipient, Peer known, CompletableFuture<Peer> result, int asked) {
            this.recipient = recipient;
            this.result = result;
            this.asked = asked;
            best = known;
            open = asked;
        }

        /** @param events null if the relay did not answer */
        void answered(@Nullable List<Event> events) {
            boolean ended;
            boolean enough;
            synchronized (this) {
                open--;
                if (events != null) {
                    answers++;
                    for (Event event : events) {
                        take(event);
                    }
                }
                ended = open == 0;
                enough = !grace && better;
            }
            if (ended) {
                end();
            } else if (enough) {
                keep();
            }
        }

        void graceIsOver() {
            boolean enough;
            synchronized (this) {
                grace = false;
                enough = better && open > 0;
            }
            if (enough) {
                keep();
            }
        }

        /** Newest wins, of equally new ones the lowest id (NIP-01). */
        private void take(Event event) {
            if (event.kind() != Kinds.DM_RELAYS || !event.pubkey().equals(recipient)) {
                return;
            }
            boolean newer = event.createdAt() > best.listedAt()
                    || event.createdAt() == best.listedAt() && event.id().hex().compareTo(best.listId()) < 0;
            if (newer) {
                best = new Peer(
                        relays(event.tagValues("relay")),
                        best.hints(),
                        event.createdAt(),
                        event.id().hex(),
                        0);
                better = true;
            }
        }

        void end() {
            synchronized (running) {
                running.remove(recipient);
            }
            keep();
        }

        private void keep() {
            Peer peer;
            boolean answered;
            synchronized (this) {
                peer = best;
                answered = answers > 0;
            }
            synchronized (running) {
                if (peer.relays().isEmpty()) {
                    failed.put(recipient, services.clock().instant());
                } else {
                    failed.remove(recipient);
                }
                if (failed.size() > 10_000) {
                    failed.clear();
                }
            }
            if (!answered) {
                if (peer.relays().isEmpty() && asked > 0) {
                    result.completeExceptionally(new ProviderException(
                            Kind.UNAVAILABLE,
                            "recipient.look-up",
                            "No relay could be asked for the recipient's list."));
                } else {
                    result.complete(peer);
                }
                return;
            }
            boolean begun = work.beside(() -> {
                try {
                    Peer kept = store(peer);
                    boolean first = result.complete(kept);
                    if (!first || !kept.relays().isEmpty()) {
                        found.run();
                    }
                } catch (ProviderException | RuntimeException e) {
                    result.completeExceptionally(Failures.of(e));
                }
            });
            if (!begun) {
                result.completeExceptionally(closed());
            }
        }

        private Peer store(Peer peer) throws ProviderException {
            long now = services.clock().millis();
            return space.transact(tx -> {
                Peer old = Book.peer(tx, recipient);
                boolean newer = peer.listedAt() > old.listedAt()
                        || peer.listedAt() == old.listedAt()
                                && (old.listId().isEmpty() || peer.listId().compareTo(old.listId()) < 0);
                Peer list = newer ? peer : old;
                Peer kept = new Peer(list.relays(), old.hints(), list.listedAt(), list.listId(), now);
                Book.put(tx, recipient, kept);
                return kept;
            });
        }
    }

    /** The first few that are addresses of relays; a stranger may have written anything. */
    static List<URI> relays(List<String> texts) {
        Set<URI> urls = new LinkedHashSet<>();
        for (String text : texts) {
            if (urls.size() == Peer.MAX_RELAYS) {
                break;
            }
            try {
                urls.add(RelayUrls.normalise(text));
            } catch (ProtocolException e) {
                continue;
            }
        }
        return new ArrayList<>(urls);
    }
}
