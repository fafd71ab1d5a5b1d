package im.parley.files.internal;

import im.parley.api.blobs.FileServer;
import im.parley.api.blobs.FileServer.Access;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.cipher.AesGcmStream;
import im.parley.egress.EgressControl;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.LeasedSigner;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpaces;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The transfers of all circles, on a few threads. */
@Component(
        name = NodeFiles.PID,
        service = FileTransfers.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        immediate = true)
@Designate(ocd = NodeFiles.Config.class)
public final class NodeFiles implements FileTransfers {
    static final String PID = "im.parley.files";
    private static final Logger LOG = LoggerFactory.getLogger(NodeFiles.class);
    private static final int MAX_SERVERS = 10;
    private static final int MAX_JOBS = 1_000;
    private static final long START_AGAIN_SECONDS = 5;
    private static final long STOP_SECONDS = 2;

    /** Where this service keeps ciphertext. */
    @ObjectClassDefinition(
            id = NodeFiles.PID,
            name = "Files",
            description = "Files that people send and receive on this node.")
    public @interface Config {
        @AttributeDefinition(
                name = "Data directory",
                description = "Data directory of the node; encrypted files on their way are in files/CIRCLE in it.")
        String dataDir();

        @AttributeDefinition(name = "Transfers at once", description = "1 to 16.")
        int transfers() default 2;
    }

    private final Path folder;
    private final SealedSpaces spaces;
    private final Services services;
    private final EgressControl egress;
    private final ScheduledThreadPoolExecutor threads;
    private final Map<Scope, CircleFiles> circles = new ConcurrentHashMap<>();
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();
    private final Transfer transfer;
    private volatile boolean stopped;

    /** What transfers need. */
    record Services(
            Slot<FileServer> fileServer, Slot<IdentityProvider> identity, InstantSource clock, SecureRandom random) {
        LeasedSigner signer(PublicKey account) {
            return new LeasedSigner(identity, account, Purpose.FILE_AUTH);
        }
    }

    @Activate
    public NodeFiles(
            Config config,
            @Reference(target = "(parley.slot=fileserver)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<FileServer> fileServer,
            @Reference(target = "(parley.slot=identity)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<IdentityProvider> identity,
            @Reference SealedSpaces spaces,
            @Reference EgressControl egress,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        this(checked(config), config.transfers(), new Services(fileServer, identity, clock, random), spaces, egress);
    }

    NodeFiles(Path folder, int transfers, Services services, SealedSpaces spaces, EgressControl egress) {
        this.folder = folder;
        this.services = services;
        this.spaces = spaces;
        this.egress = egress;
        AtomicInteger number = new AtomicInteger();
        threads = new ScheduledThreadPoolExecutor(transfers, work -> {
            Thread thread = new Thread(work, "parley-transfers-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        threads.setRemoveOnCancelPolicy(true);
        threads.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        transfer = new Transfer(services, this::changed, () -> stopped);
        threads.execute(this::start);
    }

    private static Path checked(Config config) {
        if (config.dataDir() == null || config.dataDir().isBlank()) {
            throw new IllegalArgumentException(PID + " dataDir must name a directory");
        }
        if (config.transfers() < 1 || config.transfers() > 16) {
            throw new IllegalArgumentException(PID + " transfers=" + config.transfers() + " is not in 1..16");
        }
        return Path.of(config.dataDir(), "files");
    }

    private void start() {
        try {
            circle(Scope.DEFAULT);
        } catch (ProviderException | RuntimeException e) {
            LOG.debug("the records are not there yet; files wait for them", e);
            later(this::start, START_AGAIN_SECONDS * 1_000);
        }
    }

    @Deactivate
    void stop() {
        stopped = true;
        threads.shutdown();
        try {
            if (!threads.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS)) {
                LOG.debug("a transfer still waits for its server; it goes on at the next start");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private CircleFiles circle(Scope scope) throws ProviderException {
        CircleFiles known = circles.get(scope);
        if (known != null) {
            return known;
        }
        synchronized (circles) {
            CircleFiles again = circles.get(scope);
            if (again != null) {
                return again;
            }
            CircleFiles opened =
                    new CircleFiles(scope, spaces.open(CircleRecords.space(scope)), folder.resolve(scope.circle()));
            opened.allServers().forEach(server -> egress.allow(scope, server));
            circles.put(scope, opened);
            opened.jobs().stream().filter(job -> !job.state().over()).forEach(job -> run(opened, job, 0));
            return opened;
        }
    }

    private void later(Runnable work, long millis) {
        try {
            var unused = threads.schedule(work, Math.max(0, millis), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("stopping; it goes on at the next start");
        }
    }

    private void run(CircleFiles circle, Job job, long inMillis) {
        later(() -> work(circle, job), inMillis);
    }

    private void work(CircleFiles circle, Job job) {
        if (stopped || !job.enter()) {
            return;
        }
        long next = -1;
        try {
            next = transfer.run(circle, job);
        } catch (RuntimeException | Error e) {
            LOG.error("transfer {} met a fault; it is tried again", job.number, e);
            next = Transfer.LONGEST_PAUSE_MILLIS;
        } finally {
            if (job.leave()) {
                next = 0;
            }
        }
        if (next >= 0 && !stopped) {
            run(circle, job, next);
        }
    }

    private void changed(Scope scope, Job job) {
        if (listeners.isEmpty()) {
            return;
        }
        FileJob view = job.view(System.nanoTime());
        for (Listener listener : listeners) {
            try {
                listener.jobChanged(scope, view);
            } catch (RuntimeException e) {
                LOG.warn("A listener failed on a change of a transfer", e);
            }
        }
    }

    // Servers

    @Override
    public List<URI> servers(Scope scope, PublicKey account) throws ProviderException {
        return circle(scope).servers(account);
    }

    @Override
    public List<URI> addServer(Scope scope, PublicKey account, URI server) throws ProviderException {
        URI plain = plain(server);
        List<URI> urls = circle(scope).change(account, list -> {
            if (!list.contains(plain)) {
                if (list.size() >= MAX_SERVERS) {
                    throw new ProviderException(
                            Kind.REJECTED,
                            "files.too-many-servers",
                            "An identity may have " + MAX_SERVERS + " file servers. Remove one first.");
                }
                list.add(plain);
            }
        });
        egress.allow(scope, plain);
        announce(scope, account, urls);
        return urls;
    }

    @Override
    public List<URI> removeServer(Scope scope, PublicKey account, URI server) throws ProviderException {
        URI plain = plain(server);
        CircleFiles circle = circle(scope);
        List<URI> urls = circle.change(account, list -> {
            if (!list.remove(plain)) {
                throw unknownServer();
            }
        });
        if (!circle.allServers().contains(plain)) {
            egress.withdraw(scope, plain);
        }
        announce(scope, account, urls);
        return urls;
    }

    private void announce(Scope scope, PublicKey account, List<URI> urls) {
        for (Listener listener : listeners) {
            try {
                listener.serversChanged(scope, account, urls);
            } catch (RuntimeException e) {
                LOG.warn("A listener failed on a list of file servers", e);
            }
        }
    }

    private static ProviderException unknownServer() {
        return new ProviderException(
                Kind.REJECTED, "files.server-unknown", "That is none of this identity's file servers; list them.");
    }

    /** As BUD-03 has it: scheme and authority in lower case, no path. */
    static URI plain(URI given) throws ProviderException {
        try {
            URI url = new URI(given.toASCIIString().toLowerCase(Locale.ROOT));
            boolean good = ("http".equals(url.getScheme()) || "https".equals(url.getScheme()))
                    && url.getHost() != null
                    && url.getRawUserInfo() == null
                    && url.getRawQuery() == null
                    && url.getRawFragment() == null
                    && url.getPort() <= 65_535
                    && url.getPort() != 0
                    && (url.getRawPath().isEmpty() || url.getRawPath().equals("/"));
            if (good) {
                return new URI(url.getScheme() + "://" + url.getRawAuthority());
            }
        } catch (URISyntaxException e) {
            // Refused like every other address that is none.
        }
        throw new ProviderException(
                Kind.REJECTED,
                "fileserver.bad-url",
                "A file server is http or https, a host and perhaps a port, such as https://files.example.org.");
    }

    @Override
    public FileServer.Probe probe(Scope scope, PublicKey account, URI server) throws ProviderException {
        URI plain = plain(server);
        if (!circle(scope).servers(account).contains(plain)) {
            throw unknownServer();
        }
        try (Lease<FileServer> lease = services.fileServer().acquire()) {
            return lease.get().probe(new Access(scope, plain, services.signer(account)));
        }
    }

    // Jobs

    @Override
    public String put(Scope scope, PublicKey account, Path source, PutOptions options) throws ProviderException {
        CircleFiles circle = circle(scope);
        List<URI> servers = circle.servers(account);
        if (servers.isEmpty()) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "files.no-server",
                    "This identity has no file server. Add one first: a file lies there until its receivers get it.");
        }
        if (!Files.isRegularFile(source)) {
            throw new ProviderException(Kind.REJECTED, "file.absent", "There is no such file.");
        }
        try {
            if (Files.size(source) > AesGcmStream.MAX_BYTES) {
                throw new ProviderException(
                        Kind.REJECTED, "file.too-large", "A file may have 64 GiB. Split this one, or pack it.");
            }
        } catch (IOException e) {
            throw Disk.reading(e);
        }
        return begin(
                circle,
                number -> Job.put(
                        number,
                        account,
                        source.toAbsolutePath(),
                        options,
                        servers,
                        services.clock().millis()));
    }

    @Override
    public String get(Scope scope, PublicKey account, FileDescription file, Path target, boolean replace)
            throws ProviderException {
        Path absolute = target.toAbsolutePath();
        Path parent = absolute.getParent();
        if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(absolute)) {
            throw new ProviderException(Kind.REJECTED, "file.absent", "The folder for the file is not there.");
        }
        if (!replace && Files.exists(absolute)) {
            throw Disk.exists();
        }
        return begin(
                circle(scope),
                number -> Job.get(
                        number,
                        account,
                        absolute,
                        file,
                        replace,
                        services.clock().millis()));
    }

    private String begin(CircleFiles circle, CircleFiles.Maker maker) throws ProviderException {
        Job job = circle.add(maker);
        run(circle, job, 0);
        return Long.toString(job.number);
    }

    @Override
    public Optional<FileJob> job(Scope scope, String id) throws ProviderException {
        Job job = find(circle(scope), id);
        return job == null ? Optional.empty() : Optional.of(job.view(System.nanoTime()));
    }

    private static @org.jspecify.annotations.Nullable Job find(CircleFiles circle, String id) {
        boolean digits = !id.isEmpty() && id.length() <= 18 && id.chars().allMatch(c -> c >= '0' && c <= '9');
        return digits ? circle.job(Long.parseLong(id)) : null;
    }

    @Override
    public List<FileJob> jobs(Scope scope, int limit) throws ProviderException {
        if (limit < 1 || limit > MAX_JOBS) {
            throw new IllegalArgumentException("a list has 1 to " + MAX_JOBS + " transfers");
        }
        long nanos = System.nanoTime();
        return circle(scope).jobs().stream()
                .limit(limit)
                .map(job -> job.view(nanos))
                .toList();
    }

    @Override
    public void cancel(Scope scope, String id) throws ProviderException {
        CircleFiles circle = circle(scope);
        Job job = find(circle, id);
        if (job == null) {
            throw CircleFiles.unknown(id);
        }
        if (job.finish(FileJob.State.CANCELLED, "files.cancelled")) {
            circle.save(job);
            if (!job.working()) {
                // Whoever works on it removes it when it finds out.
                circle.tidy(job);
            }
            changed(scope, job);
        }
    }

    @Override
    public void retry(Scope scope, String id) throws ProviderException {
        CircleFiles circle = circle(scope);
        Job job = find(circle, id);
        if (job == null) {
            throw CircleFiles.unknown(id);
        }
        if (job.revive()) {
            circle.save(job);
            run(circle, job, 0);
            changed(scope, job);
        }
    }

    @Override
    public List<Deletion> delete(Scope scope, PublicKey account, FileDescription file) throws ProviderException {
        Set<URI> servers = new LinkedHashSet<>();
        for (URI url : file.urls()) {
            try {
                servers.add(new URI(url.getScheme() + "://" + url.getRawAuthority()));
            } catch (URISyntaxException e) {
                LOG.debug("an address names no server");
            }
        }
        servers.addAll(circle(scope).servers(account));
        List<Deletion> results = new ArrayList<>();
        for (URI server : servers) {
            results.add(new Deletion(server, deleted(scope, account, server, file)));
        }
        return results;
    }

    private String deleted(Scope scope, PublicKey account, URI server, FileDescription file) {
        try (Lease<FileServer> lease = services.fileServer().acquire()) {
            Access access = new Access(scope, server, services.signer(account));
            return lease.get().delete(access, file.sha256()) ? "deleted" : "absent";
        } catch (ProviderException e) {
            return e.code();
        }
    }

    @Override
    public AutoCloseable listen(Listener listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }
}
