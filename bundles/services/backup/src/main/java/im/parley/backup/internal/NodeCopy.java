package im.parley.backup.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.SpaceId;
import im.parley.backup.Backups;
import im.parley.slot.SecretsSource;
import im.parley.vault.SecretArchive;
import im.parley.vault.SpaceArchive;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;

/** From the node into a repository and back. Used by one thread at a time. */
final class NodeCopy {
    /** Names the spaces that a restore is filling; gone when it is complete. */
    static final String UNFINISHED = "restoring";

    private final SpaceArchive spaces;
    private final SecretArchive archive;
    private final SecretsSource secrets;
    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final Path spoolDir;
    private final Set<String> leftOut;
    private final List<String> instances;
    private final Meter meter;

    /**
     * @param leftOut spaces that are not a person's
     * @param instances provider instances whose secrets are a person's
     */
    NodeCopy(
            SpaceArchive spaces,
            SecretArchive archive,
            SecretsSource secrets,
            InstantSource clock,
            LongSupplier nanoTime,
            Path spoolDir,
            Set<String> leftOut,
            List<String> instances,
            Meter meter) {
        this.spaces = spaces;
        this.archive = archive;
        this.secrets = secrets;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.spoolDir = spoolDir;
        this.leftOut = Set.copyOf(leftOut);
        this.instances = List.copyOf(instances);
        this.meter = meter;
    }

    private List<SpaceId> ofThePerson() throws ProviderException {
        return spaces.spaces().stream()
                .filter(id -> !leftOut.contains(id.value()))
                .toList();
    }

    /** Sums of one snapshot. */
    private static final class Sums {
        int chunks;
        int written;
        long pauseNanos;
    }

    Backups.Made take(Repository repository, long number) throws ProviderException {
        Sums sums = new Sums();
        long createdAt = clock.millis();
        List<Manifest.StoredSpace> stored = new ArrayList<>();
        for (SpaceId id : ofThePerson()) {
            Manifest.StoredSpace space = take(repository, id, sums);
            if (space.key().length > 0) {
                stored.add(space);
            }
        }
        // Keys after records: an identity has its key before its first record.
        List<Manifest.PortableSecret> portable = new ArrayList<>();
        for (String instance : instances) {
            for (String name : new TreeSet<>(archive.names(instance))) {
                portable.add(new Manifest.PortableSecret(instance, name, archive.take(instance, name)));
            }
        }
        try (Manifest manifest = new Manifest(number, createdAt, portable, stored)) {
            long bytes = repository.add(manifest);
            return new Backups.Made(
                    number,
                    manifest.records(),
                    stored.size(),
                    sums.chunks,
                    sums.written,
                    bytes + (long) sums.written * Repository.CHUNK_FILE,
                    sums.pauseNanos / 1_000_000);
        }
    }

    private Manifest.StoredSpace take(Repository repository, SpaceId id, Sums sums) throws ProviderException {
        List<String> chunks = new ArrayList<>();
        meter.phase("reads", 0);
        try (Spool spool = new Spool(spoolDir, meter)) {
            long before = nanoTime.getAsLong();
            byte[] key = spaces.read(id, spool);
            sums.pauseNanos = Math.max(sums.pauseNanos, nanoTime.getAsLong() - before);
            if (key.length == 0) {
                return new Manifest.StoredSpace(id.value(), key, 0, List.of());
            }
            meter.phase("writes", spool.records());
            ChunkCutter cutter = new ChunkCutter(repository.keys(), data -> {
                String name = repository.keys().name(data);
                chunks.add(name);
                sums.chunks++;
                sums.written += repository.put(name, data) ? 1 : 0;
            });
            spool.readTo((recordKey, value) -> {
                cutter.record(recordKey, value);
                meter.step();
            });
            cutter.end();
            return new Manifest.StoredSpace(id.value(), key, spool.records(), chunks);
        }
    }

    // ---- Back

    /** Reads all of it first: a damaged snapshot changes nothing. */
    Backups.Restored restore(Repository repository, Manifest manifest) throws ProviderException {
        meter.phase("checks", manifest.chunkNames().size());
        for (Manifest.StoredSpace space : manifest.spaces()) {
            ChunkStream.records(repository, space, meter, (key, value) -> {});
        }
        meter.phase("restores", manifest.chunkNames().size());
        Secrets own = secrets.secretsFor(NodeBackups.INSTANCE);
        spaces.replace(target -> {
            if (own.names().contains(UNFINISHED)) {
                clear(own, target);
            }
            refuseUnlessEmpty(target, manifest);
            Set<String> named = new LinkedHashSet<>();
            manifest.spaces().forEach(space -> named.add(space.id()));
            own.write(UNFINISHED, String.join("\n", named).getBytes(StandardCharsets.UTF_8), null);
            for (Manifest.StoredSpace space : manifest.spaces()) {
                target.fill(
                        new SpaceId(space.id()),
                        space.key(),
                        sink -> ChunkStream.records(repository, space, meter, sink));
            }
            for (Manifest.PortableSecret secret : manifest.secrets()) {
                archive.put(secret.instance(), secret.name(), secret.portable());
            }
            own.delete(UNFINISHED);
        });
        return new Backups.Restored(
                manifest.number(),
                manifest.createdAt(),
                manifest.records(),
                manifest.secrets().size());
    }

    /** What a restore left that did not come to its end. */
    private void clear(Secrets own, SpaceArchive.Target target) throws ProviderException {
        for (String id : new String(own.read(UNFINISHED), StandardCharsets.UTF_8).split("\n", -1)) {
            if (!id.isEmpty()) {
                target.clear(new SpaceId(id));
            }
        }
        for (String instance : instances) {
            Secrets theirs = secrets.secretsFor(instance);
            for (String name : theirs.names()) {
                theirs.delete(name);
            }
        }
    }

    private void refuseUnlessEmpty(SpaceArchive.Target target, Manifest manifest) throws ProviderException {
        Set<SpaceId> ids = new LinkedHashSet<>(ofThePerson());
        manifest.spaces().forEach(space -> ids.add(new SpaceId(space.id())));
        for (String instance : instances) {
            if (!archive.names(instance).isEmpty()) {
                throw notEmpty("it has identities");
            }
        }
        for (SpaceId id : ids) {
            if (!target.isEmpty(id)) {
                throw notEmpty("it has records in " + id.value());
            }
        }
        for (Manifest.PortableSecret secret : manifest.secrets()) {
            if (!instances.contains(secret.instance())) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "restore.no-place",
                        "This backup has keys of " + secret.instance()
                                + ", which this node has not got. Install that part first.");
            }
        }
    }

    private static ProviderException notEmpty(String why) {
        return new ProviderException(
                Kind.REJECTED,
                "restore.not-empty",
                "A backup is brought back into an empty node only, and this one is not: " + why
                        + ". Start another node on an empty directory with --data; nothing was changed here.");
    }
}
