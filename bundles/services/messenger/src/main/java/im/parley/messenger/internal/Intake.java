package im.parley.messenger.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.envelope.Envelope;
import im.parley.outbox.Failures;
import im.parley.outbox.LeasedSigner;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.Outbox.Stepped;
import im.parley.protocol.Kinds;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Takes in the wraps of one account: opens each once, brings them into the order of writing, steps the conversation and
 * makes the message visible, all in one transaction. Relays hand wraps over in any order and dated back by up to two
 * days, so neither arrival nor the wrap's date says anything.
 *
 * <p>A rejected wrap is counted by its code and dropped; trouble that will pass (a locked key, no store) fails the call
 * and nothing of it was taken in. Thread-safe.
 */
final class Intake {
    /** How long a message waits for the ones its writer wrote before. Those that come later are put before it. */
    static final Duration HOLD_BACK = Duration.ofSeconds(3);
    /** Wraps are asked for from two days and an hour before the last sync. */
    private static final Duration SURE_TO_BE_FOUND = Duration.ofDays(2).plusMinutes(30);

    private static final String BLOCKED = "contact.blocked";
    private static final Duration RETRY = Duration.ofSeconds(1);
    /** Ephemeral wraps opened in a second; anybody can send any number of them. */
    private static final int PASSING_A_SECOND = 20;

    private static final int CHUNK = 64;
    private static final int MAX_HELD = 1_000;
    private static final Duration SIGNER_PATIENCE = Duration.ofSeconds(60);

    private final Scope scope;
    private final Account account;
    private final SealedSpace space;
    private final Services services;
    private final Work work;
    private final LongSupplier nanoTime;
    private final Signer signer;
    private final Signals signals;
    private final Typists typists;
    private final Consumer<String> dropped;
    private final Runnable shown;

    /** One writer at a time per account: the order of commits is the order on the screen. */
    private final Object lock = new Object();
    // Guarded by lock.
    private final Map<String, TreeMap<Long, Held>> held = new HashMap<>();
    private int heldCount;
    private boolean flushPlanned;

    private final Budget budget = new Budget(PASSING_A_SECOND);

    /** A rumor that came out of a verified wrap and seal. */
    private record Opened(
            EventId wrap,
            long wrapAt,
            Rumor rumor,
            PublicKey sender,
            Room room,
            @Nullable ParleyTag tag) {
        /** The sender's device within the conversation; its numbers have no holes. */
        String stream() {
            return room.conversation().id() + " " + sender.hex() + " " + (tag == null ? "" : tag.device());
        }

        long order() {
            return tag == null ? HybridClock.of(rumor.createdAt() * 1000) : tag.clock();
        }
    }

    private record Refused(EventId wrap, String code) {}

    private record Held(Opened opened, long until) {}

    /** @param nanoTime a clock that never turns back */
    Intake(
            Scope scope,
            Account account,
            SealedSpace space,
            Services services,
            Work work,
            LongSupplier nanoTime,
            Signals signals,
            Typists typists,
            Consumer<String> dropped,
            Runnable shown) {
        this.scope = scope;
        this.account = account;
        this.space = space;
        this.services = services;
        this.work = work;
        this.nanoTime = nanoTime;
        this.signals = signals;
        this.typists = typists;
        this.dropped = dropped;
        this.shown = shown;
        signer = new LeasedSigner(services.identity(), account.pubkey());
    }

    /** All wraps of one sync; durable when this returns. */
    void stored(List<Event> wraps) throws ProviderException {
        List<Event> fresh = unseen(wraps);
        List<Opened> opened = new ArrayList<>();
        List<Refused> refused = new ArrayList<>();
        for (Event wrap : fresh) {
            open(wrap, opened, refused);
        }
        opened.sort(Comparator.comparingLong(Opened::order)
                .thenComparing(o -> o.rumor().id()));
        synchronized (lock) {
            refuse(refused);
            take(withoutGaps(opened));
        }
    }

    /**
     * Holds back what was written after a message that is not here yet: its predecessor may be on its way as a live wrap.
     * What is held is not durable, so only wraps that the next sync would ask for again can be.
     */
    private List<Opened> withoutGaps(List<Opened> opened) throws ProviderException {
        long asksFrom = services.clock().instant().getEpochSecond() - SURE_TO_BE_FOUND.toSeconds();
        Map<String, Long> last = new HashMap<>();
        List<Opened> now = new ArrayList<>();
        for (Opened one : opened) {
            ParleyTag tag = one.tag();
            if (tag != null) {
                Long known = last.get(one.stream());
                long before = known == null ? space.transact(tx -> Book.receiving(tx, one.stream())) : known;
                if (before > 0 && tag.seq() > before + 1 && one.wrapAt() > asksFrom && holdBack(one)) {
                    continue;
                }
                last.put(one.stream(), Math.max(before, tag.seq()));
            }
            now.add(one);
        }
        return now;
    }

    /** One wrap as it arrives; durable when this returns, or held back in memory and not yet marked as seen. */
    void live(Event wrap) throws ProviderException {
        if (unseen(List.of(wrap)).isEmpty()) {
            return;
        }
        List<Opened> opened = new ArrayList<>();
        List<Refused> refused = new ArrayList<>();
        open(wrap, opened, refused);
        synchronized (lock) {
            refuse(refused);
            for (Opened one : opened) {
                if (!holdBack(one)) {
                    take(List.of(one));
                }
            }
        }
    }

    /** An ephemeral wrap as it arrives: what it holds is told and not kept. */
    void passing(Event wrap) {
        if (!typists.listened()) {
            return;
        }
        if (!budget.take(nanoTime.getAsLong())) {
            dropped.accept("inbox.passing-overrun");
            return;
        }
        services.envelope().unwrap(signer, wrap).whenComplete((opened, failure) -> {
            if (failure != null) {
                dropped.accept(Failures.of(failure).code());
                return;
            }
            work.beside(() -> {
                try {
                    typists.heard(account, opened.rumor(), opened.sender());
                } catch (ProviderException e) {
                    dropped.accept(e.code());
                }
            });
        });
    }

    // ---- opening ----

    private List<Event> unseen(List<Event> wraps) throws ProviderException {
        List<Event> fresh = new ArrayList<>();
        for (int from = 0; from < wraps.size(); from += 1_000) {
            List<Event> part = wraps.subList(from, Math.min(from + 1_000, wraps.size()));
            fresh.addAll(space.transact(tx -> {
                List<Event> unseen = new ArrayList<>();
                for (Event wrap : part) {
                    if (!Book.wrapSeen(tx, account.pubkey(), wrap.id())) {
                        unseen.add(wrap);
                    }
                }
                return unseen;
            }));
        }
        return fresh;
    }

    private void open(Event wrap, List<Opened> opened, List<Refused> refused) throws ProviderException {
        try {
            Envelope.Opened inside = services.envelope()
                    .unwrap(signer, wrap)
                    .toCompletableFuture()
                    .get(SIGNER_PATIENCE.toSeconds(), TimeUnit.SECONDS);
            Rumor rumor = inside.rumor();
            opened.add(new Opened(
                    wrap.id(),
                    wrap.createdAt(),
                    rumor,
                    inside.sender(),
                    Room.of(account.pubkey(), rumor),
                    ParleyTag.of(rumor)));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Failures.of(e);
        } catch (ExecutionException | TimeoutException e) {
            ProviderException failure = e instanceof TimeoutException
                    ? new ProviderException(
                            im.parley.api.lifecycle.Kind.TIMEOUT,
                            "signer.timeout",
                            "The signer did not answer in time.")
                    : Failures.of(e);
            switch (failure.kind()) {
                case UNAVAILABLE, TIMEOUT, EXHAUSTED, AUTHENTICATION -> throw failure;
                case REJECTED, CORRUPT -> {
                    dropped.accept(failure.code());
                    refused.add(new Refused(wrap.id(), failure.code()));
                }
                // A bug must neither stop the inbox nor hide the message for ever: the next sync tries it again.
                case UNSUPPORTED, INTERNAL -> dropped.accept(failure.code());
            }
        }
    }

    // ---- order ----

    /** True if the message waits for earlier ones of its writer. */
    private boolean holdBack(Opened one) throws ProviderException {
        ParleyTag tag = one.tag();
        if (tag == null || tag.seq() == 1) {
            return false;
        }
        long last = space.transact(tx -> Book.receiving(tx, one.stream()));
        if (tag.seq() <= last + 1) {
            return false;
        }
        if (heldCount >= MAX_HELD) {
            release(Long.MAX_VALUE);
            return false;
        }
        long until = nanoTime.getAsLong() + HOLD_BACK.toNanos();
        Held before = held.computeIfAbsent(one.stream(), unused -> new TreeMap<>())
                .putIfAbsent(tag.seq(), new Held(one, until));
        heldCount += before == null ? 1 : 0;
        plan(HOLD_BACK);
        // Two rumors with one number: only one of them can wait.
        return before == null || before.opened().rumor().id().equals(one.rumor().id());
    }

    private void plan(Duration delay) {
        if (!flushPlanned) {
            flushPlanned = true;
            work.later(delay, () -> {
                synchronized (lock) {
                    flushPlanned = false;
                    long now = nanoTime.getAsLong();
                    try {
                        release(now);
                    } catch (ProviderException e) {
                        plan(RETRY);
                        return;
                    }
                    held.values().stream()
                            .flatMap(stream -> stream.values().stream())
                            .mapToLong(Held::until)
                            .min()
                            .ifPresent(next -> plan(Duration.ofNanos(Math.max(1_000_000, next - now))));
                }
            });
        }
    }

    /** Shows what has waited long enough, and what lies before it. */
    private void release(long now) throws ProviderException {
        for (String stream : List.copyOf(held.keySet())) {
            TreeMap<Long, Held> waiting = held.get(stream);
            if (waiting == null) {
                continue;
            }
            long upTo = 0;
            for (Map.Entry<Long, Held> entry : waiting.entrySet()) {
                if (entry.getValue().until() <= now) {
                    upTo = entry.getKey();
                }
            }
            if (upTo > 0) {
                List<Opened> due = new ArrayList<>();
                for (Held one : waiting.headMap(upTo, true).values()) {
                    due.add(one.opened());
                }
                take(due);
            }
        }
    }

    /** Takes in these, in this order, and then whatever held message has its predecessors now. */
    private void take(List<Opened> opened) throws ProviderException {
        List<Opened> next = opened;
        while (!next.isEmpty()) {
            for (int from = 0; from < next.size(); from += CHUNK) {
                commit(next.subList(from, Math.min(from + CHUNK, next.size())));
            }
            // Only what is durable leaves the hold.
            next.forEach(this::let);
            next = ready(next);
        }
    }

    private void let(Opened one) {
        TreeMap<Long, Held> waiting = one.tag() == null ? null : held.get(one.stream());
        if (waiting == null || one.tag() == null) {
            return;
        }
        Held same = waiting.get(one.tag().seq());
        if (same != null && same.opened().rumor().id().equals(one.rumor().id())) {
            waiting.remove(one.tag().seq());
            heldCount--;
            if (waiting.isEmpty()) {
                held.remove(one.stream());
            }
        }
    }

    private List<Opened> ready(List<Opened> taken) throws ProviderException {
        Set<String> streams = new LinkedHashSet<>();
        for (Opened one : taken) {
            if (one.tag() != null && held.containsKey(one.stream())) {
                streams.add(one.stream());
            }
        }
        List<Opened> ready = new ArrayList<>();
        for (String stream : streams) {
            long last = space.transact(tx -> Book.receiving(tx, stream));
            for (Map.Entry<Long, Held> entry :
                    held.getOrDefault(stream, new TreeMap<>()).entrySet()) {
                if (entry.getKey() > last + 1) {
                    break;
                }
                last = Math.max(last, entry.getKey());
                ready.add(entry.getValue().opened());
            }
        }
        return ready;
    }

    // ---- writing ----

    private void refuse(List<Refused> refused) throws ProviderException {
        for (int from = 0; from < refused.size(); from += 1_000) {
            List<Refused> part = refused.subList(from, Math.min(from + 1_000, refused.size()));
            space.transact(tx -> {
                for (Refused one : part) {
                    Book.putWrapSeen(tx, account.pubkey(), one.wrap(), one.code());
                }
                return true;
            });
        }
    }

    private void commit(List<Opened> chunk) throws ProviderException {
        Moment moment = services.outbox().moment();
        try {
            write(chunk, moment);
        } catch (ProviderException e) {
            if (passing(e)) {
                throw e;
            }
            // One that cannot be written must not keep the others out.
            for (Opened one : chunk) {
                try {
                    write(List.of(one), moment);
                } catch (ProviderException alone) {
                    if (passing(alone)) {
                        throw alone;
                    }
                    dropped.accept(alone.code());
                }
            }
        }
        shown.run();
    }

    private static boolean passing(ProviderException e) {
        return switch (e.kind()) {
            case UNAVAILABLE, TIMEOUT, EXHAUSTED, AUTHENTICATION -> true;
            default -> false;
        };
    }

    private void write(List<Opened> chunk, Moment moment) throws ProviderException {
        List<String> failures = space.transact(tx -> {
            List<String> failed = new ArrayList<>();
            for (Opened one : chunk) {
                String code = write(tx, one, moment);
                if (!code.isEmpty()) {
                    failed.add(code);
                }
            }
            return failed;
        });
        failures.forEach(dropped);
    }

    /** @return why it is not shown; empty if it is, or was */
    private String write(Tx tx, Opened one, Moment moment) throws ProviderException {
        if (Book.rumorSeen(tx, account.pubkey(), one.rumor().id())) {
            Book.putWrapSeen(tx, account.pubkey(), one.wrap(), "");
            return "";
        }
        if (ChatBook.isBlocked(tx, account.pubkey(), one.sender())) {
            Book.putWrapSeen(tx, account.pubkey(), one.wrap(), BLOCKED);
            return BLOCKED;
        }
        Stepped stepped = services.outbox()
                .step(
                        tx,
                        scope,
                        one.room().conversation(),
                        new Input.Received(moment, account.pubkey(), one.sender(), one.rumor()));
        String code = "";
        for (Effect effect : stepped.effects()) {
            if (effect instanceof Effect.Deliver deliver) {
                deliver(tx, deliver, stepped.schemeId(), moment.epochMillis());
            } else if (effect instanceof Effect.Fail fail) {
                code = fail.code();
            }
        }
        // A kind that no scheme takes today may have one after the next start.
        if (!code.equals(Effect.Fail.UNSUPPORTED)) {
            Book.putWrapSeen(tx, account.pubkey(), one.wrap(), code);
        }
        return code;
    }

    /** Makes a rumor visible, once. Also for rumors that a scheme shows as the consequence of an outcome. */
    void deliver(Tx tx, Effect.Deliver deliver, String schemeId, long nowMillis) throws ProviderException {
        Rumor rumor = deliver.rumor();
        PublicKey self = account.pubkey();
        if (Book.rumorSeen(tx, self, rumor.id())) {
            return;
        }
        Room room = Room.of(self, rumor);
        ParleyTag tag = ParleyTag.of(rumor);
        long place = 0;
        if (tag != null) {
            String stream = new Opened(rumor.id(), rumor.createdAt(), rumor, deliver.sender(), room, tag).stream();
            long last = Book.receiving(tx, stream);
            if (tag.seq() > last) {
                if (tag.seq() > last + 1) {
                    Book.putGap(tx, stream, last, tag.seq(), Book.position(tx) + 1);
                }
                Book.putReceiving(tx, stream, tag.seq());
            } else {
                place = Book.placeInGap(tx, stream, tag.seq());
            }
            HybridClock.observe(tx, tag.clock(), nowMillis);
        }
        Conversation conversation = room.conversation();
        String about = rumor.kind() == Kinds.SIGNAL ? "" : about(tx, rumor);
        long expires = Marks.expires(rumor);
        if (expires > 0 && expires <= nowMillis / 1000) {
            Book.putRumorSeen(tx, self, rumor.id(), 0);
            return;
        }
        String edited = Versions.edited(rumor);
        boolean edits = rumor.kind() == Kinds.TEXT && edited != null;
        boolean shows = switch (rumor.kind()) {
            case Kinds.TEXT -> edited == null || edit(tx, rumor, edited, tag, conversation, deliver.sender());
            case Kinds.FILE -> true;
            case Kinds.SIGNAL -> {
                String nothing = signals.receive(tx, rumor, deliver.sender());
                if (!nothing.isEmpty()) {
                    dropped.accept(nothing);
                }
                yield false;
            }
            case Kinds.REACTION -> isReaction(tx, about, rumor, conversation, deliver.sender());
            case Kinds.DELETION -> {
                if (edited != null) {
                    // The text that takes its place says all there is to say.
                    yield false;
                }
                about = erased(tx, rumor, conversation, deliver.sender());
                yield !about.isEmpty();
            }
            default -> {
                Book.putUnshown(tx, self, rumor);
                yield false;
            }
        };
        if (!shows) {
            Book.putRumorSeen(tx, self, rumor.id(), 0);
            return;
        }
        boolean outgoing = deliver.sender().equals(self);
        long position = Book.nextPosition(tx);
        Line line = new Line(
                position,
                place > 0 ? place : position,
                rumor.id().hex(),
                conversation.id(),
                room.peer(deliver.sender()),
                deliver.sender(),
                outgoing,
                outgoing,
                edits ? Versions.EDIT : rumor.kind(),
                sentAt(rumor, tag),
                rumor.kind() == Kinds.DELETION || edits ? "" : rumor.content(),
                schemeId,
                edits && edited != null ? edited : about,
                room.others(),
                false,
                expires,
                0,
                0,
                tag == null ? "" : tag.device(),
                tag == null ? 0 : tag.seq(),
                tag == null ? 0 : tag.clock());
        boolean gone = !edits && Marks.isDeleted(tx, self, line.id(), line.author());
        Book.put(tx, self, gone ? line.erased() : line);
        Book.putRumorSeen(tx, self, rumor.id(), position);
        if (line.kind() == Kinds.FILE && !gone) {
            FileMessages.describe(tx, self, line, rumor.tags());
        }
        if (line.isRead()) {
            boolean letIn = outgoing || knows(tx, conversation, deliver.sender());
            Chats.arrived(tx, self, gone ? line.erased() : line, room, letIn);
            settle(tx, gone ? line.erased() : line);
            Signals.owe(tx, self, line, false);
        } else if (edits || rumor.kind() == Kinds.REACTION && !gone) {
            Book.put(tx, self, line.about(), new Book.Mark(position, line.kind(), line.author(), line.text()));
        }
    }

    /** The message that a rumor is about; of an edit, as clients see one that know none, the message that it changed. */
    private String about(Tx tx, Rumor rumor) throws ProviderException {
        String about = Marks.about(rumor);
        Line line = about.isEmpty() ? null : Book.target(tx, account.pubkey(), about);
        return line == null ? about : line.id();
    }

    /** Takes in what was said about a message before it came. */
    private void settle(Tx tx, Line line) throws ProviderException {
        Line now = line;
        for (Versions.Early early : Versions.early(tx, account.pubkey(), line)) {
            Book.removeMark(tx, account.pubkey(), line.id(), early.position());
            if (!line.deleted()) {
                now = Versions.apply(tx, account.pubkey(), now, early.version());
            }
        }
    }

    /** Changes a text that its author may change; one that is not here yet may come after its edit. */
    private boolean edit(
            Tx tx, Rumor rumor, String target, @Nullable ParleyTag tag, Conversation conversation, PublicKey sender)
            throws ProviderException {
        PublicKey self = account.pubkey();
        if (tag == null) {
            dropped.accept("dm.bad-edit");
            return false;
        }
        Versions.Version version =
                new Versions.Version(tag.clock(), rumor.id().hex(), HybridClock.millis(tag.clock()), rumor.content());
        Line line = Book.line(tx, self, target);
        if (line == null) {
            if (knows(tx, conversation, sender) && Marks.expires(rumor) == 0) {
                Versions.keep(tx, self, target, Book.nextPosition(tx), sender, version);
            } else {
                dropped.accept("dm.unknown-target");
            }
            return false;
        }
        if (!line.author().equals(sender)
                || !line.conversation().equals(conversation.id())
                || line.kind() != Kinds.TEXT
                || line.deleted()) {
            dropped.accept(line.deleted() ? "dm.unknown-target" : "dm.not-author");
            return false;
        }
        Versions.apply(tx, self, line, version);
        return true;
    }

    /** What it is about may come after it, but not from people who have nothing here yet. */
    private boolean isReaction(Tx tx, String about, Rumor rumor, Conversation conversation, PublicKey sender)
            throws ProviderException {
        if (about.isEmpty() || !Marks.isReaction(rumor.content())) {
            dropped.accept("dm.bad-reaction");
            return false;
        }
        Line line = Book.line(tx, account.pubkey(), about);
        boolean fits = line == null
                ? knows(tx, conversation, sender)
                : line.conversation().equals(conversation.id()) && !line.deleted();
        if (!fits) {
            dropped.accept("dm.unknown-target");
        }
        return fits;
    }

    /** Takes back what its author may take back; answers the first of it, or nothing. */
    private String erased(Tx tx, Rumor rumor, Conversation conversation, PublicKey sender) throws ProviderException {
        PublicKey self = account.pubkey();
        Erasing erasing = new Erasing();
        String first = "";
        for (String target : Marks.targets(rumor)) {
            Line line = Book.target(tx, self, target);
            if (line == null) {
                if (knows(tx, conversation, sender)) {
                    Book.put(tx, self, target, new Book.Mark(Book.nextPosition(tx), Kinds.DELETION, sender, ""));
                } else {
                    dropped.accept("dm.unknown-target");
                }
            } else if (!line.author().equals(sender) || !line.conversation().equals(conversation.id())) {
                dropped.accept("dm.not-author");
            } else if (!line.deleted() && line.kind() != Kinds.DELETION) {
                Marks.erase(tx, self, line, erasing);
                first = first.isEmpty() ? target : first;
            }
        }
        erasing.finish(tx);
        return first;
    }

    private boolean knows(Tx tx, Conversation conversation, PublicKey sender) throws ProviderException {
        if (sender.equals(account.pubkey()) || Book.hasSent(tx, conversation.id())) {
            return true;
        }
        for (Account own : Book.accounts(tx)) {
            if (own.pubkey().equals(sender)) {
                return true;
            }
        }
        for (Book.Contact contact : Book.contacts(tx, account.pubkey())) {
            if (contact.pubkey().equals(sender)) {
                return true;
            }
        }
        return false;
    }

    /** The clock gives the milliseconds where it agrees with the date, which alone is bound by every client. */
    private static long sentAt(Rumor rumor, @Nullable ParleyTag tag) {
        long millis = tag == null ? 0 : HybridClock.millis(tag.clock());
        return millis / 1000 == rumor.createdAt() ? millis : rumor.createdAt() * 1000;
    }
}
