package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.FILE_DESCRIPTIONS;
import static im.parley.outbox.CircleRecords.FILE_MESSAGES;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.files.FileDescription;
import im.parley.files.FileJob;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import im.parley.messenger.Messenger.Attachment;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.protocol.Kinds;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Files as messages (NIP-17, kind 15). A message is written when a file server has its file; until then a record says for
 * whom it is, so that it is written after a crash, too. Thread-safe.
 */
final class FileMessages implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FileMessages.class);
    private static final int MANY = 10_000;

    private final Scope scope;
    private final SealedSpace space;
    private final @Nullable FileTransfers files;
    private final Work work;
    private final Writer writer;
    private final AutoCloseable listening;

    /** @param files null if there is nothing that moves files */
    FileMessages(Scope scope, SealedSpace space, @Nullable FileTransfers files, Work work, Writer writer) {
        this.scope = scope;
        this.space = space;
        this.files = files;
        this.work = work;
        this.writer = writer;
        listening = files == null
                ? () -> {}
                : files.listen(new FileTransfers.Listener() {
                    @Override
                    public void jobChanged(Scope of, FileJob job) {
                        if (of.equals(scope) && (job.state().over() || job.state() == FileJob.State.AVAILABLE)) {
                            resume();
                        }
                    }
                });
    }

    @Override
    public void close() throws Exception {
        listening.close();
    }

    private FileTransfers files() throws ProviderException {
        if (files == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "files.unavailable", "This node has no part that moves files.");
        }
        return files;
    }

    // ---- sending ----

    /**
     * A file that is on its way to its servers.
     *
     * @param number order of being sent
     */
    private record Pending(long number, String job, PublicKey account, List<PublicKey> to) {}

    String send(@Nullable String wanted, List<String> to, Path file, PutOptions options) throws ProviderException {
        record Of(PublicKey account, List<PublicKey> others) {}
        Of of = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            return new Of(account.pubkey(), List.copyOf(Contacts.others(tx, account, to)));
        });
        String job = files().put(scope, of.account(), file, options);
        space.update(tx -> tx.put(
                RecordKey.of(FILE_MESSAGES, "", Book.next(tx, "file-messages")),
                new RecordOutput(1)
                        .text(job)
                        .bytes(of.account().bytes())
                        .texts(of.others().stream().map(PublicKey::hex).toList())
                        .done()));
        resume();
        return job;
    }

    /** Writes the messages whose files are there now. Does not block. */
    void resume() {
        work.beside(() -> {
            try {
                writeAll();
            } catch (ProviderException e) {
                LOG.debug("messages with files are written later: {}", e.code());
            }
        });
    }

    private synchronized void writeAll() throws ProviderException {
        for (Pending pending : space.transact(FileMessages::pending)) {
            Optional<FileJob> found = files().job(scope, pending.job());
            FileJob.State state = found.map(FileJob::state).orElse(FileJob.State.FAILED);
            FileDescription description = found.map(FileJob::description).orElse(null);
            boolean there = state == FileJob.State.AVAILABLE || state == FileJob.State.DONE;
            if (there && description != null) {
                try {
                    writer.file(pending.account(), pending.to(), description, tx -> remove(tx, pending));
                } catch (ProviderException e) {
                    if (e.kind() != Kind.REJECTED) {
                        throw e;
                    }
                    LOG.warn("A message with a file was given up: {}", e.code());
                    space.update(tx -> remove(tx, pending));
                }
            } else if (found.isEmpty() || state == FileJob.State.CANCELLED) {
                space.update(tx -> remove(tx, pending));
            }
        }
    }

    private static List<Pending> pending(Tx tx) throws ProviderException {
        List<Pending> pending = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(FILE_MESSAGES, ""), false, MANY)) {
            RecordInput in = new RecordInput(item.value(), 1);
            String job = in.text();
            PublicKey account = PublicKey.of(in.bytes());
            List<PublicKey> to = new ArrayList<>();
            for (String one : in.texts()) {
                to.add(PublicKey.ofHex(one));
            }
            pending.add(new Pending(ByteBuffer.wrap(item.order()).getLong(), job, account, to));
        }
        return pending;
    }

    private static void remove(Tx tx, Pending pending) throws ProviderException {
        tx.delete(RecordKey.of(FILE_MESSAGES, "", pending.number()));
    }

    // ---- what a message says of its file ----

    static void describe(Tx tx, PublicKey account, Line line, List<List<String>> tags) throws ProviderException {
        RecordOutput out = new RecordOutput(1).number(tags.size());
        for (List<String> tag : tags) {
            out.texts(tag);
        }
        tx.put(
                RecordKey.of(FILE_DESCRIPTIONS, account.hex(), line.position()),
                out.done(),
                Erasing.bucket(account, line));
    }

    static void forget(Tx tx, PublicKey account, Line line) throws ProviderException {
        tx.delete(RecordKey.of(FILE_DESCRIPTIONS, account.hex(), line.position()));
    }

    /** Null if the message has no file that can be got. */
    static @Nullable FileDescription description(Tx tx, PublicKey account, Line line) throws ProviderException {
        List<List<String>> tags = tags(tx, account, line);
        try {
            return tags.isEmpty() ? null : FileDescription.of(line.text(), tags);
        } catch (ProviderException e) {
            return null;
        }
    }

    /** What its message says; empty if it has none. */
    static List<List<String>> tags(Tx tx, PublicKey account, Line line) throws ProviderException {
        List<List<String>> tags = new ArrayList<>();
        byte @Nullable [] value = line.kind() == Kinds.FILE
                ? tx.get(RecordKey.of(FILE_DESCRIPTIONS, account.hex(), line.position()))
                : null;
        if (value != null) {
            RecordInput in = new RecordInput(value, 1);
            int count = in.count();
            for (int i = 0; i < count; i++) {
                tags.add(in.texts());
            }
        }
        return tags;
    }

    static @Nullable Attachment shown(@Nullable FileDescription file) {
        if (file == null) {
            return null;
        }
        FileDescription.About about = file.about();
        return new Attachment(
                about.name(),
                about.mediaType(),
                file.sizeBytes(),
                about.width(),
                about.height(),
                about.blurhash(),
                about.durationMillis(),
                file.sha256().hex());
    }

    // ---- getting and deleting ----

    String save(@Nullable String wanted, String id, Path target, boolean replace) throws ProviderException {
        record Of(PublicKey account, FileDescription file) {}
        Of of = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Line line = Writer.about(tx, account, id, true);
            FileDescription file = description(tx, account.pubkey(), line);
            if (file == null) {
                throw Rejected.of("message.no-file", "That message has no file that this node can get.");
            }
            return new Of(account.pubkey(), file);
        });
        return files().get(scope, of.account(), of.file(), target, replace);
    }

    /** Takes a file back from the servers it is at, as far as they do it. Does not block. */
    void delete(PublicKey account, FileDescription file) {
        work.beside(() -> {
            try {
                for (FileTransfers.Deletion deletion : files().delete(scope, account, file)) {
                    if (!deletion.outcome().equals("deleted")
                            && !deletion.outcome().equals("absent")) {
                        LOG.warn("A file server did not delete a file: {}", deletion.outcome());
                    }
                }
            } catch (ProviderException e) {
                LOG.warn("A file was not deleted at its servers: {}", e.code());
            }
        });
    }
}
