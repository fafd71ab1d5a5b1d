package im.parley.files.internal;

import im.parley.api.blobs.FileServer;
import im.parley.api.blobs.FileServer.Access;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.cipher.AesGcmStream;
import im.parley.files.FileDescription;
import im.parley.files.FileDescription.About;
import im.parley.files.FileJob.State;
import im.parley.slot.Lease;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does what is next of a job, on the thread that asks. What it needs after a crash is in records and on disk. Thread-safe. */
final class Transfer {
    static final long LONGEST_PAUSE_MILLIS = 300_000;
    private static final Logger LOG = LoggerFactory.getLogger(Transfer.class);
    private static final long FIRST_PAUSE_MILLIS = 1_000;
    private static final long GIVE_UP_MILLIS = 7L * 86_400_000;
    private static final long TELL_NANOS = 1_000_000_000L;
    private static final long OVER = -1;
    private static final String CIPHERTEXT = "application/octet-stream";
    private static final String SWAPPED = "files.swapped";
    private static final String ENDED = "files.ended";

    private static final Map<String, String> TYPES = Map.ofEntries(
            Map.entry("txt", "text/plain"),
            Map.entry("md", "text/markdown"),
            Map.entry("csv", "text/csv"),
            Map.entry("html", "text/html"),
            Map.entry("json", "application/json"),
            Map.entry("zip", "application/zip"),
            Map.entry("gz", "application/gzip"),
            Map.entry("mp3", "audio/mpeg"),
            Map.entry("m4a", "audio/mp4"),
            Map.entry("ogg", "audio/ogg"),
            Map.entry("opus", "audio/ogg"),
            Map.entry("wav", "audio/wav"),
            Map.entry("flac", "audio/flac"),
            Map.entry("webm", "video/webm"),
            Map.entry("mkv", "video/x-matroska"),
            Map.entry("svg", "image/svg+xml"),
            Map.entry("bmp", "image/bmp"),
            Map.entry("odt", "application/vnd.oasis.opendocument.text"),
            Map.entry("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"));

    /** Told when a job moved on. */
    @FunctionalInterface
    interface Watcher {
        void changed(Scope scope, Job job);
    }

    private final NodeFiles.Services services;
    private final Watcher watcher;
    private final BooleanSupplier stopped;

    Transfer(NodeFiles.Services services, Watcher watcher, BooleanSupplier stopped) {
        this.services = services;
        this.watcher = watcher;
        this.stopped = stopped;
    }

    private static ProviderException ended() {
        return new ProviderException(Kind.UNAVAILABLE, ENDED, "The transfer was ended.");
    }

    private void check(Job job) throws ProviderException {
        if (job.ended() || stopped.getAsBoolean()) {
            throw ended();
        }
    }

    private long now() {
        return services.clock().millis();
    }

    /** @return in how many milliseconds it has to be run again; -1 if it is over, or the node stops */
    long run(CircleFiles circle, Job job) {
        try {
            long next = job.kind == im.parley.files.FileJob.Kind.PUT ? put(circle, job) : get(circle, job);
            watcher.changed(circle.scope, job);
            return next;
        } catch (ProviderException e) {
            return failed(circle, job, e);
        } finally {
            if (job.state().over()) {
                circle.tidy(job);
            }
        }
    }

    private long failed(CircleFiles circle, Job job, ProviderException e) {
        if (e.code().equals(ENDED)) {
            return OVER;
        }
        if (permanent(e)) {
            LOG.debug("transfer {} ends: {}", job.number, e.code(), e);
            return finish(circle, job, State.FAILED, e.code());
        }
        long pause = pause(job.attempt());
        job.waits(e.code(), now() + pause);
        LOG.debug("transfer {} waits {} ms after {}", job.number, pause, e.code(), e);
        watcher.changed(circle.scope, job);
        return pause;
    }

    private long finish(CircleFiles circle, Job job, State state, String code) {
        if (job.finish(state, code)) {
            try {
                circle.save(job);
            } catch (ProviderException e) {
                // The records say what was before, so it is done again after the next start, and ends the same way.
                LOG.warn("The end of transfer {} could not be written", job.number, e);
            }
        }
        watcher.changed(circle.scope, job);
        return OVER;
    }

    /** Whether the same call would fail again. */
    private static boolean permanent(ProviderException e) {
        return switch (e.kind()) {
            case REJECTED, UNSUPPORTED, CORRUPT -> true;
            // A locked key opens again.
            case AUTHENTICATION -> e.code().startsWith("fileserver.");
            default -> false;
        };
    }

    private static long pause(int attempts) {
        return Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(attempts, 20));
    }

    /** Counts what moves, tells others now and then, and ends what shall end. */
    private Sealing.Progress progress(Scope scope, Job job) {
        return new Sealing.Progress() {
            private long told = System.nanoTime();

            @Override
            public void done(long bytes) throws ProviderException {
                check(job);
                long nanos = System.nanoTime();
                job.meter.at(bytes, nanos);
                if (nanos - told > TELL_NANOS) {
                    told = nanos;
                    watcher.changed(scope, job);
                }
            }
        };
    }

    // To servers

    private long put(CircleFiles circle, Job job) throws ProviderException {
        Path staged = circle.staged(job);
        boolean anywhere = job.servers().stream().anyMatch(Job.Server::has);
        if (job.description() == null || !Files.exists(staged) && !anywhere) {
            prepare(circle, job, staged);
        }
        FileDescription file = Objects.requireNonNull(job.description());
        for (Job.Server server : job.servers()) {
            if (server.waits() && server.nextTryAt <= now()) {
                check(job);
                upload(circle, job, server, file, staged);
            }
        }
        long next = Long.MAX_VALUE;
        boolean stored = false;
        String reason = "";
        for (Job.Server server : job.servers()) {
            stored |= server.has();
            reason = server.has() || !reason.isEmpty() ? reason : server.reason;
            next = server.waits() ? Math.min(next, server.nextTryAt) : next;
        }
        if (next == Long.MAX_VALUE) {
            return finish(circle, job, stored ? State.DONE : State.FAILED, stored ? "" : reason);
        }
        job.waits(reason, next);
        return Math.max(1, next - now());
    }

    private void upload(CircleFiles circle, Job job, Job.Server server, FileDescription file, Path staged)
            throws ProviderException {
        boolean swapped;
        do {
            swapped = false;
            try (Lease<FileServer> lease = services.fileServer().acquire();
                    FileChannel content = FileChannel.open(staged, StandardOpenOption.READ)) {
                job.meter.start(0, file.sizeBytes(), System.nanoTime());
                Source source = new Source(content, lease, job, progress(circle.scope, job));
                FileServer.Stored stored = lease.get()
                        .upload(
                                new Access(circle.scope, server.url, services.signer(job.account)),
                                new FileServer.Content(file.sha256(), file.sizeBytes(), CIPHERTEXT, source));
                job.stored(server, stored.url());
                circle.save(job);
                watcher.changed(circle.scope, job);
            } catch (IOException e) {
                throw Disk.reading(e);
            } catch (ProviderException e) {
                swapped = e.code().equals(SWAPPED);
                if (!swapped) {
                    refused(circle, job, server, e);
                }
            }
        } while (swapped);
    }

    private void refused(CircleFiles circle, Job job, Job.Server server, ProviderException e) throws ProviderException {
        if (e.code().equals(ENDED)) {
            throw e;
        }
        LOG.debug("transfer {} is not at {} yet: {}", job.number, server.url, e.code(), e);
        if (permanent(e) || now() - job.createdAt > GIVE_UP_MILLIS) {
            job.refused(server, e.code());
        } else {
            job.failed(server, e.code(), now() + pause(server.attempts));
        }
        circle.save(job);
        watcher.changed(circle.scope, job);
    }

    /** The staged ciphertext, for as long as the lease is not asked back. */
    private final class Source implements FileServer.Source {
        private final FileChannel file;
        private final Lease<FileServer> lease;
        private final Job job;
        private final Sealing.Progress progress;
        private long at;

        Source(FileChannel file, Lease<FileServer> lease, Job job, Sealing.Progress progress) {
            this.file = file;
            this.lease = lease;
            this.job = job;
            this.progress = progress;
        }

        @Override
        public void seek(long offset) {
            at = offset;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws ProviderException {
            check(job);
            if (lease.retiring()) {
                throw new ProviderException(Kind.UNAVAILABLE, SWAPPED, "Another version of the provider goes on.");
            }
            try {
                ByteBuffer into = ByteBuffer.wrap(buffer, from, length);
                while (into.hasRemaining()) {
                    int n = file.read(into, at);
                    if (n < 0) {
                        break;
                    }
                    at += n;
                }
                return into.position() - from;
            } catch (IOException e) {
                throw Disk.reading(e);
            }
        }

        @Override
        public void progress(long sentBytes) throws ProviderException {
            progress.done(sentBytes);
        }
    }

    /** Encrypts with a new key each time: what a crash left of an earlier one is never gone on with. */
    private void prepare(CircleFiles circle, Job job, Path staged) throws ProviderException {
        job.prepared(null, List.of());
        String name = job.options.name().isEmpty() ? String.valueOf(job.path.getFileName()) : job.options.name();
        List<String> warnings = new ArrayList<>();
        try (FileChannel source = FileChannel.open(job.path, StandardOpenOption.READ)) {
            ImageFile image =
                    ImageFile.of(source, job.options.mediaType().isEmpty() ? guessed(name) : job.options.mediaType());
            if (image.dirty() && !job.options.keepMetadata()) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "media.metadata",
                        "The picture may say where and when it was taken, and Parley cannot take that out of this kind of"
                                + " picture. Convert it, or say that it shall be sent as it is.");
            }
            Pieces clean = image.clean();
            boolean asItIs = clean == null || job.options.keepMetadata();
            if (asItIs && (image.type().startsWith("image/") || image.type().startsWith("video/"))) {
                warnings.add("media.metadata-kept");
            }
            Pieces pieces = asItIs || clean == null ? Pieces.whole(source.size()) : clean;
            if (pieces.sizeBytes() > AesGcmStream.MAX_BYTES) {
                throw new ProviderException(Kind.REJECTED, "file.too-large", "A file may have 64 GiB.");
            }
            Disk.checkRoom(circle.folder, pieces.sizeBytes());
            String blurhash = preview(job.path, image, warnings);
            byte[] key = new byte[AesGcmStream.KEY];
            byte[] nonce = new byte[AesGcmStream.NONCE];
            services.random().nextBytes(key);
            services.random().nextBytes(nonce);
            Disk.createPrivate(staged);
            job.meter.start(0, pieces.sizeBytes(), System.nanoTime());
            Sealing.Sealed sealed = Sealing.seal(source, pieces, staged, key, nonce, progress(circle.scope, job));
            About about = new About(
                    image.type().isEmpty() ? About.NOTHING.mediaType() : image.type(),
                    name,
                    image.width(),
                    image.height(),
                    blurhash,
                    job.options.durationMillis(),
                    job.options.waveform());
            job.prepared(
                    new FileDescription(
                            List.of(),
                            sealed.sha256(),
                            sealed.plaintextSha256(),
                            sealed.sizeBytes(),
                            key,
                            nonce,
                            about),
                    warnings);
            circle.save(job);
            watcher.changed(circle.scope, job);
        } catch (IOException e) {
            throw Disk.reading(e);
        }
    }

    private static String preview(Path path, ImageFile image, List<String> warnings) {
        try {
            return Previews.blurhash(path, image);
        } catch (ProviderException e) {
            warnings.add(e.code());
            return "";
        }
    }

    private static String guessed(String name) {
        int dot = name.lastIndexOf('.');
        return TYPES.getOrDefault(dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT), "");
    }

    // From servers

    private long get(CircleFiles circle, Job job) throws ProviderException {
        FileDescription file = Objects.requireNonNull(job.description());
        Path staged = circle.staged(job);
        Download download = new Download(circle, job, file, staged);
        download.run();
        job.in(State.CHECKING);
        watcher.changed(circle.scope, job);
        Sealing.Progress progress = progress(circle.scope, job);
        job.meter.start(0, file.sizeBytes(), System.nanoTime());
        if (!job.replace && Sealing.isFile(job.path, file.plaintextSha256())) {
            // A crash came between the file and the record that says so.
            return finish(circle, job, State.DONE, "");
        }
        Path beside = CircleFiles.beside(job);
        Sealing.open(staged, beside, job.path, job.replace, file.plaintextSha256(), file.key(), file.nonce(), progress);
        return finish(circle, job, State.DONE, "");
    }

    /** Gets the ciphertext whole and right from whoever has it. */
    private final class Download {
        private final CircleFiles circle;
        private final Job job;
        private final FileDescription file;
        private final Path staged;
        private final List<URI> own;
        /** Who sent all that is staged; null if it is not known or were several. */
        private @Nullable URI from;

        private @Nullable ProviderException temporary;
        private @Nullable ProviderException wrong;
        private @Nullable ProviderException last;

        Download(CircleFiles circle, Job job, FileDescription file, Path staged) throws ProviderException {
            this.circle = circle;
            this.job = job;
            this.file = file;
            this.staged = staged;
            this.own = circle.servers(job.account);
        }

        void run() throws ProviderException {
            if (size() == file.sizeBytes() && right(null)) {
                return;
            }
            for (URI url : candidates()) {
                // Once more from the start if the bytes of several servers came to nothing.
                for (int round = 0; round < 2; round++) {
                    check(job);
                    Boolean done = tried(url);
                    if (Boolean.TRUE.equals(done)) {
                        return;
                    }
                    if (done != null) {
                        break;
                    }
                }
            }
            if (temporary != null) {
                throw temporary;
            }
            throw wrong != null ? wrong : last != null ? last : absent();
        }

        private ProviderException absent() {
            return new ProviderException(
                    Kind.REJECTED, "blob.absent", "No file server that is known has this file. Ask for it again.");
        }

        private List<URI> candidates() {
            List<URI> all = new ArrayList<>(file.urls());
            for (URI server : own) {
                boolean asked = file.urls().stream()
                        .anyMatch(url -> server.getRawAuthority().equalsIgnoreCase(url.getRawAuthority()));
                if (!asked) {
                    all.add(server);
                }
            }
            return all;
        }

        /** True if all is here and right, false if this one does not help, null if it deserves another try. */
        private @Nullable Boolean tried(URI url) throws ProviderException {
            boolean alone;
            try {
                alone = fetch(url);
            } catch (ProviderException e) {
                if (e.code().equals(ENDED)) {
                    throw e;
                }
                if (e.code().equals(SWAPPED)) {
                    return null;
                }
                LOG.debug("transfer {} does not come from {}: {}", job.number, url, e.code(), e);
                if (permanent(e)) {
                    last = e;
                    // More than the file has are not its bytes.
                    if (e.code().equals("blob.too-large")) {
                        restart();
                    }
                } else {
                    temporary = e;
                }
                return false;
            }
            if (right(url)) {
                return true;
            }
            return alone ? Boolean.FALSE : null;
        }

        private long size() throws ProviderException {
            try {
                return Files.exists(staged) ? Files.size(staged) : 0;
            } catch (IOException e) {
                throw Disk.reading(e);
            }
        }

        private void restart() {
            Disk.remove(staged);
            from = null;
        }

        /** Returns when the server has no more; whether all bytes are of this server. */
        private boolean fetch(URI url) throws ProviderException {
            long most = file.sizeBytes() < 0 ? AesGcmStream.MAX_BYTES + AesGcmStream.TAG : file.sizeBytes();
            long there = size();
            if (there > most) {
                restart();
                there = 0;
            }
            if (there == 0) {
                Disk.createPrivate(staged);
                from = url;
            } else if (!url.equals(from)) {
                from = null;
            }
            job.in(State.DOWNLOADING);
            if (file.sizeBytes() > 0) {
                Disk.checkRoom(circle.folder, file.sizeBytes() - there);
            }
            long begin = there;
            job.meter.start(begin, file.sizeBytes(), System.nanoTime());
            Sealing.Progress progress = progress(circle.scope, job);
            boolean known =
                    own.stream().anyMatch(each -> each.getRawAuthority().equalsIgnoreCase(url.getRawAuthority()));
            // A server that somebody else named does not learn who asks.
            Access access = new Access(circle.scope, url, known ? services.signer(job.account) : null);
            try (Lease<FileServer> lease = services.fileServer().acquire();
                    FileChannel out = FileChannel.open(staged, StandardOpenOption.WRITE)) {
                out.position(begin);
                long[] done = {begin};
                lease.get().download(access, file.sha256(), begin, most, (buffer, at, length) -> {
                    if (lease.retiring()) {
                        throw new ProviderException(Kind.UNAVAILABLE, SWAPPED, "Another version goes on.");
                    }
                    write(out, buffer, at, length);
                    done[0] += length;
                    job.progress();
                    progress.done(done[0]);
                });
                out.force(true);
            } catch (IOException e) {
                throw Disk.writing(e);
            }
            if (file.sizeBytes() >= 0 && size() < file.sizeBytes()) {
                throw new ProviderException(
                        Kind.UNAVAILABLE, "fileserver.cut", "The file server sent less than the file has.");
            }
            return from != null;
        }

        private static void write(FileChannel out, byte[] buffer, int from, int length) throws ProviderException {
            try {
                ByteBuffer left = ByteBuffer.wrap(buffer, from, length);
                while (left.hasRemaining()) {
                    out.write(left);
                }
            } catch (IOException e) {
                throw Disk.writing(e);
            }
        }

        /** Whether the staged file is the one that was announced; removes it if not. */
        private boolean right(@Nullable URI url) throws ProviderException {
            job.in(State.CHECKING);
            watcher.changed(circle.scope, job);
            job.meter.start(0, file.sizeBytes(), System.nanoTime());
            Sha256 expected = file.sha256();
            try {
                Sealing.check(staged, expected, file.key(), file.nonce(), progress(circle.scope, job));
                return true;
            } catch (ProviderException e) {
                if (!e.code().equals("blob.hash-mismatch")) {
                    throw e;
                }
                LOG.warn("transfer {}: what came is not the file, and was removed ({})", job.number, e.code());
                if (url != null) {
                    wrong = e;
                }
                restart();
                return false;
            }
        }
    }
}
