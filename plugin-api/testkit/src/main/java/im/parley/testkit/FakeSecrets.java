package im.parley.testkit;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** The vault's promises, in memory; remembers every array it handed out. */
public final class FakeSecrets implements Secrets {
    private record Entry(byte[] value, char @Nullable [] passphrase) {}

    private final Map<String, Entry> entries = new TreeMap<>();
    private final Set<String> unlocked = new HashSet<>();
    private final List<Runnable> callbacks = new CopyOnWriteArrayList<>();
    public final List<byte[]> handedOut = new ArrayList<>();
    public Runnable beforeRead = () -> {};

    @Override
    public synchronized List<String> names() {
        return List.copyOf(entries.keySet());
    }

    @Override
    public synchronized boolean locked(String name) throws ProviderException {
        return entry(name).passphrase() != null && !unlocked.contains(name);
    }

    @Override
    public synchronized byte[] read(String name) throws ProviderException {
        beforeRead.run();
        if (locked(name)) {
            throw new ProviderException(Kind.AUTHENTICATION, "vault.locked", "locked");
        }
        byte[] copy = entry(name).value().clone();
        handedOut.add(copy);
        return copy;
    }

    @Override
    public synchronized void write(String name, byte[] value, char @Nullable [] passphrase) {
        entries.put(name, new Entry(value.clone(), passphrase == null ? null : passphrase.clone()));
        unlocked.remove(name);
    }

    @Override
    public synchronized void unlock(String name, char[] passphrase) throws ProviderException {
        if (!Arrays.equals(entry(name).passphrase(), passphrase)) {
            throw new ProviderException(Kind.AUTHENTICATION, "vault.wrong-passphrase", "wrong");
        }
        unlocked.add(name);
    }

    @Override
    public synchronized void delete(String name) {
        entries.remove(name);
    }

    @Override
    public AutoCloseable onLock(Runnable callback) {
        callbacks.add(callback);
        return () -> callbacks.remove(callback);
    }

    public synchronized void lock() {
        unlocked.clear();
        callbacks.forEach(Runnable::run);
    }

    public int callbacks() {
        return callbacks.size();
    }

    private Entry entry(String name) throws ProviderException {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new ProviderException(Kind.REJECTED, "secret.missing", "missing");
        }
        return entry;
    }
}
