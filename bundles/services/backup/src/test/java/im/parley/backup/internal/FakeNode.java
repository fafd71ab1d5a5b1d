package im.parley.backup.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.SpaceId;
import im.parley.slot.SecretsSource;
import im.parley.vault.SecretArchive;
import im.parley.vault.SpaceArchive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A node's vault and store in memory, where nothing is sealed, so that tests can look. */
final class FakeNode implements SpaceArchive, SecretArchive, SecretsSource {
    final Map<SpaceId, TreeMap<String, byte[]>> spaces =
            new TreeMap<>((a, b) -> a.value().compareTo(b.value()));
    final Map<SpaceId, byte[]> keys = new HashMap<>();
    final Map<String, TreeMap<String, byte[]>> secrets = new HashMap<>();
    int replaced;
    /** How many records a store takes before it fails; negative for all. */
    int failAfter = -1;

    void put(SpaceId space, byte[] key, byte[] value) {
        keys.computeIfAbsent(
                space, id -> Arrays.copyOf(id.value().getBytes(java.nio.charset.StandardCharsets.UTF_8), 32));
        spaces.computeIfAbsent(space, unused -> new TreeMap<>())
                .put(HexFormat.of().formatHex(key), value.clone());
    }

    void remove(SpaceId space, byte[] key) {
        spaces.getOrDefault(space, new TreeMap<>()).remove(HexFormat.of().formatHex(key));
    }

    Map<String, String> image() {
        Map<String, String> image = new TreeMap<>();
        spaces.forEach((id, rows) -> rows.forEach(
                (key, value) -> image.put(id.value() + " " + key, HexFormat.of().formatHex(value))));
        keys.forEach((id, key) -> image.put("key " + id.value(), HexFormat.of().formatHex(key)));
        secrets.forEach((instance, all) -> all.forEach((name, value) -> {
            if (!instance.equals(NodeBackups.INSTANCE)) {
                image.put("secret " + instance + " " + name, HexFormat.of().formatHex(value));
            }
        }));
        return image;
    }

    @Override
    public List<SpaceId> spaces() {
        return List.copyOf(spaces.keySet());
    }

    @Override
    public byte[] read(SpaceId id, Reader reader) throws ProviderException {
        // As a store does that has to begin again.
        reader.begin();
        reader.record(new byte[] {1}, new byte[] {2});
        reader.begin();
        for (Map.Entry<String, byte[]> row :
                spaces.getOrDefault(id, new TreeMap<>()).entrySet()) {
            reader.record(HexFormat.of().parseHex(row.getKey()), row.getValue().clone());
        }
        return keys.getOrDefault(id, new byte[0]).clone();
    }

    @Override
    public void replace(Replacement work) throws ProviderException {
        replaced++;
        work.run(new Target() {
            @Override
            public boolean isEmpty(SpaceId id) {
                return spaces.getOrDefault(id, new TreeMap<>()).isEmpty();
            }

            @Override
            public void clear(SpaceId id) {
                spaces.remove(id);
                keys.remove(id);
            }

            @Override
            public void fill(SpaceId id, byte[] key, Source records) throws ProviderException {
                keys.put(id, key.clone());
                TreeMap<String, byte[]> rows = new TreeMap<>();
                records.readTo((recordKey, value) -> {
                    if (failAfter >= 0 && failAfter-- == 0) {
                        throw new ProviderException(Kind.EXHAUSTED, "storage.full", "full");
                    }
                    rows.put(HexFormat.of().formatHex(recordKey), value);
                });
                spaces.put(id, rows);
            }
        });
    }

    @Override
    public List<String> names(String instance) {
        return List.copyOf(secrets.getOrDefault(instance, new TreeMap<>()).keySet());
    }

    @Override
    public byte[] take(String instance, String name) throws ProviderException {
        return secretsFor(instance).read(name);
    }

    @Override
    public void put(String instance, String name, byte[] portable) throws ProviderException {
        secretsFor(instance).write(name, portable, null);
    }

    @Override
    public Secrets secretsFor(String instance) {
        TreeMap<String, byte[]> all = secrets.computeIfAbsent(instance, unused -> new TreeMap<>());
        return new Secrets() {
            @Override
            public List<String> names() {
                return new ArrayList<>(all.keySet());
            }

            @Override
            public boolean locked(String name) {
                return false;
            }

            @Override
            public byte[] read(String name) throws ProviderException {
                byte[] value = all.get(name);
                if (value == null) {
                    throw new ProviderException(Kind.REJECTED, "secret.missing", "none");
                }
                return value.clone();
            }

            @Override
            public void write(String name, byte[] value, char @Nullable [] passphrase) {
                all.put(name, value.clone());
            }

            @Override
            public void unlock(String name, char[] passphrase) {}

            @Override
            public void delete(String name) {
                all.remove(name);
            }

            @Override
            public AutoCloseable onLock(Runnable callback) {
                return () -> {};
            }
        };
    }
}
