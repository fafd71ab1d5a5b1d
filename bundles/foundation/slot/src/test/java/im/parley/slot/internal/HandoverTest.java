package im.parley.slot.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Slot;
import im.parley.slot.internal.NotesMover.Notes;
import im.parley.slot.internal.NotesMover.NotesTap;
import im.parley.testkit.Await;
import im.parley.testkit.SeededRandom;
import im.parley.testkit.SettableClock;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class HandoverTest {
    private static final String OLD = "derby~main";
    private static final String NEW = "lmdb~main";

    @TempDir
    Path data = Path.of("unset");

    private final NotesMover mover = new NotesMover();

    /** What the instances keep, whether open or not. */
    private final Map<String, List<String>> disk = new HashMap<>();

    private final List<Opened> open = new ArrayList<>();
    private final List<String> selected = new ArrayList<>();

    @SuppressWarnings("NullAway.Init") // Before each.
    private SlotHost host;

    @SuppressWarnings("NullAway.Init") // With each start.
    private Handover handover;

    @SuppressWarnings("NullAway.Init") // With each start and switch.
    private volatile NotesTap serving;

    @BeforeEach
    void startOnTheOldOne() throws Exception {
        SlotHost.Config config = (SlotHost.Config) Proxy.newProxyInstance(
                SlotHost.Config.class.getClassLoader(),
                new Class<?>[] {SlotHost.Config.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "dataDir" -> data.toString();
                    case "threads" -> 2;
                    default -> false;
                });
        host = new SlotHost(new SettableClock(Instant.parse("2026-11-30T06:00:00Z")), new SeededRandom(1), config);
        host.bindMover(mover, Map.of(Slot.NAME, "notes"));
        start(OLD);
    }

    @AfterEach
    void stop() {
        handover.emptied();
    }

    /** A node that starts and selects that instance. */
    private void start(String instance) throws ProviderException {
        handover = new Handover("notes", host, this::opened);
        serving = (NotesTap) handover.fill(opened(instance));
    }

    /** As a kill: nobody is asked. */
    private void kill() {
        handover.emptied();
        open.clear();
    }

    private Opened opened(String instance) throws ProviderException {
        try {
            Path directory = host.dataDirOf(instance);
            if (!Files.exists(directory)) {
                disk.remove(instance);
                Files.createDirectories(directory);
                Files.writeString(directory.resolve("notes"), "");
            }
        } catch (IOException e) {
            throw new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "no directory", e);
        }
        Notes notes = new Notes(disk.computeIfAbsent(instance, any -> new ArrayList<>()));
        Opened opened = new Opened(instance, notes, notes::close);
        open.add(opened);
        return opened;
    }

    private long serve(Opened opened, Object forUsers) {
        selected.add(opened.instance());
        serving = (NotesTap) forUsers;
        return selected.size();
    }

    private Handover.Done move(String to) throws ProviderException {
        return handover.move(to, this::serve);
    }

    @Test
    void thereAndBackAndThereAgainWhileOthersWriteAndNothingIsLost() throws Exception {
        for (int i = 0; i < 500; i++) {
            serving.add("before " + i);
        }
        ExecutorService executor = Executors.newFixedThreadPool(3);
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger written = new AtomicInteger();
        try {
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                writers.add(executor.submit(() -> {
                    // A user keeps what it was handed for a while.
                    NotesTap held = serving;
                    while (!over.get()) {
                        int number = written.incrementAndGet();
                        held.add("note " + number);
                        held = number % 100 == 0 ? serving : held;
                        Thread.yield();
                    }
                    return true;
                }));
            }
            for (String to : List.of(NEW, OLD, NEW)) {
                int so = written.get();
                Await.until("somebody writes", () -> written.get() > so + 50);
                Handover.Done done = move(to);
                assertTrue(done.moved().rows() >= 500, done.toString());
                assertEquals(
                        to.equals(NEW) ? "window" : "none", handover.progress().phase());
            }
            over.set(true);
            for (Future<?> writer : writers) {
                writer.get();
            }
            assertEquals(List.of(NEW, OLD, NEW), selected);
            assertEquals(500 + written.get(), serving.all().size());
            assertEquals(500 + written.get(), serving.all().stream().distinct().count());
            Await.until("the old one is up to date", () -> notes(OLD).size() == 500 + written.get());
            assertTrue(handover.compare().equal());
            assertEquals(OLD, handover.finish());
            assertEquals(
                    "swap.no-window",
                    assertThrows(ProviderException.class, handover::finish).code());
            serving.add("after");
            assertFalse(notes(OLD).contains("after"));
        } finally {
            over.set(true);
            executor.shutdownNow();
        }
    }

    private List<String> kept(String instance) {
        return disk.computeIfAbsent(instance, any -> new ArrayList<>());
    }

    private List<String> notes(String instance) {
        List<String> list = disk.getOrDefault(instance, List.of());
        synchronized (list) {
            return List.copyOf(list);
        }
    }

    @Test
    void whateverFailsBeforeTheSwitchTheOldOneServesOnAndTheNextTrySucceeds() throws Exception {
        serving.add("one");
        ProviderException failure = new ProviderException(Kind.UNAVAILABLE, "storage.full", "no room");
        mover.shipFailure = failure;
        refused("storage.full", this::serve);
        mover.shipFailure = null;
        mover.verifyFailure = failure;
        refused("storage.full", this::serve);
        mover.verifyFailure = null;
        mover.settleFailure = failure;
        refused("storage.full", this::serve);
        mover.settleFailure = null;
        refused("swap.not-written", (opened, forUsers) -> {
            throw new ProviderException(Kind.UNAVAILABLE, "swap.not-written", "no room");
        });
        mover.stuck = true;
        refused("swap.busy", this::serve);
        mover.stuck = false;
        assertEquals(List.of(), selected);
        serving.add("two");
        move(NEW);
        serving.add("three");
        mover.settleFailure = failure;
        assertEquals(
                "storage.full",
                assertThrows(ProviderException.class, () -> move(OLD)).code());
        assertEquals("window", handover.progress().phase(), "an undo that failed leaves the window open");
        mover.settleFailure = null;
        serving.add("four");
        Await.until("the old one is up to date", () -> notes(OLD).size() == 4);
        move(OLD);
        assertEquals(List.of("one", "two", "three", "four"), serving.all());
    }

    private void refused(String code, Handover.Switch serve) throws ProviderException {
        assertEquals(
                code,
                assertThrows(ProviderException.class, () -> handover.move(NEW, serve))
                        .code());
        assertEquals("none", handover.progress().phase());
        assertNull(new HandoverState("notes", host.handoversDir()).read());
        serving.add("still");
        assertTrue(notes(OLD).contains("still"));
        kept(OLD).remove("still");
    }

    @Test
    void aKillWhileItCopiesLeavesTheOldOneAndTheCopyIsMadeAnew() throws Exception {
        serving.add("one");
        mark(HandoverState.Phase.COPYING, OLD, NEW, false);
        new HandoverState("notes", host.handoversDir()).stale(NEW);
        opened(NEW);
        kept(NEW).add("half");
        kill();
        start(OLD);
        assertNull(new HandoverState("notes", host.handoversDir()).read());
        assertEquals(1, mover.quieted, "what was journalled is cleared away");
        move(NEW);
        assertEquals(List.of("one"), serving.all());
    }

    @Test
    void aKillAtTheSwitchIsDecidedByTheStackGeneration() throws Exception {
        serving.add("one");
        move(NEW);
        serving.add("two");
        Await.until("the old one is up to date", () -> notes(OLD).size() == 2);
        kill();
        // Forward, selected the new one.
        mark(HandoverState.Phase.SWITCHING, OLD, NEW, false);
        start(NEW);
        assertEquals("window", handover.progress().phase());
        serving.add("three");
        Await.until("the old one is kept up to date again", () -> notes(OLD).contains("three"));
        kill();
        // Back, selected the newer one still.
        mark(HandoverState.Phase.SWITCHING, NEW, OLD, true);
        start(NEW);
        assertEquals("window", handover.progress().phase());
        assertEquals(OLD, handover.progress().from());
        kill();
        // Back, selected the old one.
        mark(HandoverState.Phase.SWITCHING, NEW, OLD, true);
        start(OLD);
        assertEquals("none", handover.progress().phase());
        assertEquals(List.of("one", "two", "three"), serving.all());
        // What is left there is known to be out of date.
        move(NEW);
        assertEquals(List.of("one", "two", "three"), serving.all());
    }

    @Test
    void aKillInTheWindowGoesOnWithIt() throws Exception {
        serving.add("one");
        move(NEW);
        kill();
        start(NEW);
        serving.add("two");
        Await.until("the old one is up to date", () -> notes(OLD).size() == 2);
        move(OLD);
        assertEquals(List.of("one", "two"), serving.all());
    }

    @Test
    void theOldOneSelectedWithoutAnUndoGetsWhatItLacksFirst() throws Exception {
        serving.add("one");
        move(NEW);
        kill();
        start(OLD);
        assertEquals(List.of("one"), serving.all());
        assertEquals("none", handover.progress().phase());
        kill();
        mark(HandoverState.Phase.WINDOW, OLD, NEW, false);
        handover = new Handover("notes", host, instance -> {
            throw new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "gone");
        });
        Opened old = opened(OLD);
        assertEquals(
                "handover.behind",
                assertThrows(ProviderException.class, () -> handover.fill(old)).code());
        Opened third = opened("other~main");
        assertEquals(
                "handover.other-selected",
                assertThrows(ProviderException.class, () -> handover.fill(third))
                        .code());
    }

    @Test
    void whatKeepsSomethingOfItsOwnIsNoTarget() throws Exception {
        opened(NEW);
        assertEquals(
                "swap.target-not-empty",
                assertThrows(ProviderException.class, () -> move(NEW)).code());
        assertTrue(Files.exists(host.dataDirOf(NEW).resolve("notes")));
    }

    @Test
    void aCallOffIsHeard() throws Exception {
        for (int i = 0; i < 200; i++) {
            serving.add("note " + i);
        }
        ExecutorService executor = Executors.newSingleThreadExecutor();
        try {
            mover.beforeShip = () -> {
                if (handover.progress().done() > 50) {
                    handover.cancel();
                }
            };
            Future<?> moving = executor.submit(() -> move(NEW));
            Exception ended = assertThrows(ExecutionException.class, moving::get);
            assertTrue(String.valueOf(ended.getCause()).contains("handover.cancelled"), ended.toString());
            assertEquals(List.of(), selected);
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void aSlotThatIsEmptiedInAnUndoOrAComparisonLeavesNothingRunning() throws Exception {
        serving.add("one");
        move(NEW);
        Opened old = open.get(0);
        emptiedWhile(() -> move(OLD));
        assertTrue(((Notes) old.object()).isClosed(), "nobody keeps the old one open");
        open.clear();
        start(NEW);
        Await.until("the old one is open again", () -> open.size() == 2);
        emptiedWhile(() -> handover.compare());
        assertTrue(((Notes) open.get(1).object()).isClosed(), "nobody keeps the old one open");
    }

    private void emptiedWhile(Executable act) {
        AtomicBoolean once = new AtomicBoolean();
        mover.beforeShip = () -> {
            if (!Thread.currentThread().getName().startsWith("parley-handover") && once.compareAndSet(false, true)) {
                // As the slot does when its provider leaves or the node stops.
                handover.emptied();
            }
        };
        assertThrows(ProviderException.class, act);
        mover.beforeShip = () -> {};
        open.get(0).letGo();
        assertEquals(
                List.of(),
                Thread.getAllStackTraces().keySet().stream()
                        .map(Thread::getName)
                        .filter(name -> name.equals("parley-handover notes"))
                        .toList());
    }

    @Test
    void aBrokenOldOneIsToldAndTriedAgain() throws Exception {
        serving.add("one");
        move(NEW);
        mover.shipFailure = new ProviderException(Kind.UNAVAILABLE, "storage.full", "no room");
        Await.until("it is told", () -> handover.progress().problem().startsWith("storage.full"));
        serving.add("two");
        mover.shipFailure = null;
        Await.until("it is up to date", () -> notes(OLD).size() == 2);
        assertEquals("", handover.progress().problem());
        handover.leaving(OLD);
        serving.add("three");
        Await.until("it is opened again", () -> notes(OLD).size() == 3);
    }

    private void mark(HandoverState.Phase phase, String from, String to, boolean back) throws ProviderException {
        new HandoverState("notes", host.handoversDir()).write(new HandoverState.Mark(phase, from, to, back, 1));
    }
}
