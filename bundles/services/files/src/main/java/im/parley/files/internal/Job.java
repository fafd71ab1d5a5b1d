package im.parley.files.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileJob.Kind;
import im.parley.files.FileJob.State;
import im.parley.files.PutOptions;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One transfer and how it stands. Fields that change are guarded by the object; one thread at a time works on it. */
final class Job {
    private static final int VERSION = 1;
    private static final long TIDY_NANOS = 5_000_000_000L;
    private static final String WAITING = "waiting";
    private static final String STORED = "stored";
    private static final String REFUSED = "refused";

    final long number;
    final Kind kind;
    final PublicKey account;
    final Path path;
    final PutOptions options;
    final boolean replace;
    final long createdAt;
    final Meter meter = new Meter();

    private State state;
    private String reason = "";
    private long nextTryAt;
    private int attempts;
    private List<Server> servers = new ArrayList<>();
    private List<String> warnings = new ArrayList<>();
    private @Nullable FileDescription description;

    // Not kept.
    private boolean working;
    private boolean again;
    private volatile boolean ended;

    /** A server that an upload goes to. */
    static final class Server {
        final URI url;
        String state = WAITING;
        String reason = "";
        int attempts;
        long nextTryAt;

        @Nullable
        URI storedAt;

        Server(URI url) {
            this.url = url;
        }

        boolean waits() {
            return state.equals(WAITING);
        }

        boolean has() {
            return state.equals(STORED);
        }
    }

    private Job(
            long number,
            Kind kind,
            PublicKey account,
            Path path,
            PutOptions options,
            boolean replace,
            long createdAt,
            State state) {
        this.number = number;
        this.kind = kind;
        this.account = account;
        this.path = path;
        this.options = options;
        this.replace = replace;
        this.createdAt = createdAt;
        this.state = state;
    }

    static Job put(long number, PublicKey account, Path path, PutOptions options, List<URI> servers, long now) {
        Job job = new Job(number, Kind.PUT, account, path, options, false, now, State.PREPARING);
        servers.forEach(url -> job.servers.add(new Server(url)));
        return job;
    }

    static Job get(long number, PublicKey account, Path path, FileDescription file, boolean replace, long now) {
        Job job = new Job(number, Kind.GET, account, path, PutOptions.NONE, replace, now, State.DOWNLOADING);
        job.description = file;
        return job;
    }

    // What the one who works on it does

    /** False if another thread is at it, which then looks once more when it is done, or if nothing is left to do. */
    synchronized boolean enter() {
        if (state.over()) {
            return false;
        }
        again = working;
        if (working) {
            return false;
        }
        working = true;
        return true;
    }

    /** Whether somebody asked for more work meanwhile. */
    synchronized boolean leave() {
        working = false;
        notifyAll();
        return again && !state.over();
    }

    synchronized boolean working() {
        return working;
    }

    /** Whether the work shall end now. */
    boolean ended() {
        return ended;
    }

    synchronized State state() {
        return state;
    }

    synchronized @Nullable FileDescription description() {
        return description;
    }

    synchronized void prepared(@Nullable FileDescription file, List<String> found) {
        if (!state.over()) {
            description = file;
            warnings = new ArrayList<>(found);
            state = file == null ? State.PREPARING : State.UPLOADING;
            reason = "";
        }
    }

    synchronized void in(State next) {
        if (!state.over()) {
            state = next;
            reason = "";
            nextTryAt = 0;
        }
    }

    /** Copies of the servers are not needed: only the one who works on it changes them. */
    synchronized List<Server> servers() {
        return List.copyOf(servers);
    }

    synchronized void stored(Server server, URI url) {
        server.state = STORED;
        server.reason = "";
        server.storedAt = url;
        if (state == State.UPLOADING) {
            state = State.AVAILABLE;
            reason = "";
        }
    }

    synchronized void refused(Server server, String code) {
        server.state = REFUSED;
        server.reason = code;
        reason = code;
    }

    synchronized void failed(Server server, String code, long next) {
        server.attempts++;
        server.reason = code;
        server.nextTryAt = next;
        reason = code;
    }

    synchronized void waits(String code, long next) {
        reason = code;
        nextTryAt = next;
    }

    synchronized int attempt() {
        return attempts++;
    }

    synchronized void progress() {
        attempts = 0;
    }

    synchronized boolean finish(State last, String code) {
        if (state.over()) {
            return false;
        }
        state = last;
        reason = code;
        nextTryAt = 0;
        ended = true;
        return true;
    }

    /** Tries everything at once that waits, and what has failed. */
    synchronized boolean revive() {
        awaitLeave();
        if (state == State.DONE || state == State.CANCELLED || working) {
            return false;
        }
        boolean fetched = kind == Kind.GET;
        if (state == State.FAILED) {
            ended = false;
            state = fetched ? State.DOWNLOADING : description == null ? State.PREPARING : State.UPLOADING;
        }
        for (Server server : servers) {
            if (!server.has()) {
                server.state = WAITING;
                server.nextTryAt = 0;
                server.attempts = 0;
            }
        }
        attempts = 0;
        nextTryAt = 0;
        reason = "";
        return true;
    }

    /** One that has just ended may still be tidied up. */
    private synchronized void awaitLeave() {
        long deadline = System.nanoTime() + TIDY_NANOS;
        while (working && state.over() && System.nanoTime() < deadline) {
            try {
                wait(100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    // What others see

    synchronized FileJob view(long nanos) {
        List<FileJob.At> at = servers.stream()
                .map(each -> new FileJob.At(each.url, each.state, each.reason))
                .toList();
        boolean moving = working && !state.over();
        return new FileJob(
                Long.toString(number),
                kind,
                account,
                state,
                path,
                state == State.DONE ? Math.max(0, meter.total()) : meter.done(),
                meter.total(),
                moving ? meter.bytesPerSecond(nanos) : 0,
                moving ? meter.secondsLeft(nanos) : -1,
                reason,
                nextTryAt,
                at,
                warnings,
                shown(),
                createdAt);
    }

    private @Nullable FileDescription shown() {
        FileDescription file = description;
        if (file == null || kind == Kind.GET) {
            return file;
        }
        List<URI> urls = new ArrayList<>();
        for (Server server : servers) {
            URI url = server.storedAt;
            if (url != null) {
                urls.add(url);
            }
        }
        return file.at(urls);
    }

    // The record

    synchronized byte[] encode() throws ProviderException {
        RecordOutput out = new RecordOutput(VERSION)
                .text(kind.name())
                .bytes(account.bytes())
                .text(path.toString())
                .text(options.name())
                .text(options.mediaType())
                .flag(options.keepMetadata())
                .number(options.durationMillis())
                .text(options.waveform())
                .flag(replace)
                .number(createdAt)
                .text(state.name())
                .text(reason)
                .texts(warnings)
                .number(servers.size());
        for (Server server : servers) {
            URI url = server.storedAt;
            out.text(server.url.toString())
                    .text(server.state)
                    .text(server.reason)
                    .text(url == null ? "" : url.toString());
        }
        FileDescription file = description;
        out.flag(file != null);
        if (file != null) {
            write(out, file);
        }
        return out.done();
    }

    private static void write(RecordOutput out, FileDescription file) throws ProviderException {
        Sha256 plain = file.plaintextSha256();
        FileDescription.About about = file.about();
        out.texts(file.urls().stream().map(URI::toString).toList())
                .bytes(file.sha256().bytes())
                .bytes(plain == null ? new byte[0] : plain.bytes())
                .number(file.sizeBytes())
                .bytes(file.key())
                .bytes(file.nonce())
                .text(about.mediaType())
                .text(about.name())
                .number(about.width())
                .number(about.height())
                .text(about.blurhash())
                .number(about.durationMillis())
                .text(about.waveform());
    }

    static Job decode(long number, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        Kind kind = Kind.valueOf(in.text());
        PublicKey account = PublicKey.of(in.bytes());
        Path path = Path.of(in.text());
        PutOptions options = new PutOptions(in.text(), in.text(), in.flag(), in.number(), in.text());
        boolean replace = in.flag();
        long createdAt = in.number();
        Job job = new Job(number, kind, account, path, options, replace, createdAt, State.valueOf(in.text()));
        job.reason = in.text();
        job.warnings = new ArrayList<>(in.texts());
        int count = in.count();
        for (int i = 0; i < count; i++) {
            Server server = new Server(URI.create(in.text()));
            server.state = in.text();
            server.reason = in.text();
            String url = in.text();
            server.storedAt = url.isEmpty() ? null : URI.create(url);
            job.servers.add(server);
        }
        if (in.flag()) {
            job.description = read(in);
        }
        job.ended = job.state.over();
        FileDescription file = job.description;
        if (file != null) {
            job.meter.start(0, file.sizeBytes(), 0);
        }
        return job;
    }

    private static FileDescription read(RecordInput in) throws ProviderException {
        List<URI> urls = in.texts().stream().map(URI::create).toList();
        Sha256 sha256 = Sha256.of(in.bytes());
        byte[] plain = in.bytes();
        return new FileDescription(
                urls,
                sha256,
                plain.length == 0 ? null : Sha256.of(plain),
                in.number(),
                in.bytes(),
                in.bytes(),
                new FileDescription.About(
                        in.text(), in.text(), (int) in.number(), (int) in.number(), in.text(), in.number(), in.text()));
    }
}
