package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.storage.SpaceId;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import im.parley.vault.SealedSpaces;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Which circles there are beside the default one. It knows random ids and nothing that tells what they are: names and
 * settings lie in each circle's own space, so that they go with its key. Thread-safe; blocks on disk.
 */
final class Registry {
    private static final SpaceId SPACE = new SpaceId("node:circles");
    private static final int CIRCLES = 1;
    private static final int NUMBERS = 2;
    private static final int VERSION = 1;
    private static final int MANY = 10_000;

    private final SealedSpace space;

    Registry(SealedSpaces spaces) {
        space = spaces.open(SPACE);
    }

    /** How far a circle is. What is neither is finished as soon as it is found. */
    enum Stage {
        /** Begun and not there yet: nobody was told of it. */
        COMING,
        THERE,
        /** The user deleted it. */
        LEAVING
    }

    /** @param number order of creation */
    record Entry(long number, Scope scope, Stage stage) {
        Entry in(Stage next) {
            return new Entry(number, scope, next);
        }
    }

    List<Entry> all() throws ProviderException {
        return space.transact(tx -> {
            List<Entry> entries = new ArrayList<>();
            for (Item item : tx.scan(RecordKey.all(CIRCLES, ""), false, MANY)) {
                RecordInput in = new RecordInput(item.value(), VERSION);
                Scope scope = new Scope(in.text());
                int stage = in.count();
                if (stage >= Stage.values().length) {
                    throw new ProviderException(
                            Kind.UNSUPPORTED,
                            "store.too-new",
                            "A circle was left in a way that this version does not know.");
                }
                entries.add(new Entry(ByteBuffer.wrap(item.order()).getLong(), scope, Stage.values()[stage]));
            }
            return entries;
        });
    }

    Entry add(Scope scope) throws ProviderException {
        return space.transact(tx -> {
            RecordKey key = RecordKey.of(NUMBERS, "");
            byte[] last = tx.get(key);
            long number = last == null ? 1 : new RecordInput(last, VERSION).number() + 1;
            tx.put(key, new RecordOutput(VERSION).number(number).done());
            Entry entry = new Entry(number, scope, Stage.COMING);
            write(tx, entry);
            return entry;
        });
    }

    void put(Entry entry) throws ProviderException {
        space.update(tx -> write(tx, entry));
    }

    void remove(Entry entry) throws ProviderException {
        space.update(tx -> tx.delete(RecordKey.of(CIRCLES, "", entry.number())));
    }

    private static void write(Tx tx, Entry entry) throws ProviderException {
        tx.put(
                RecordKey.of(CIRCLES, "", entry.number()),
                new RecordOutput(VERSION)
                        .text(entry.scope().circle())
                        .number(entry.stage().ordinal())
                        .done());
    }
}
