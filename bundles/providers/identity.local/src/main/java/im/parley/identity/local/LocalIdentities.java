package im.parley.identity.local;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.KeyExport;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import im.parley.cipher.Nip49;
import im.parley.protocol.EventHash;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Identities kept by this node. A secret key is read from the vault for one operation and its array is overwritten at
 * the end of it; between operations only the vault has it. Conversation keys are cached and dropped at each lock.
 *
 * <p>Thread-safe.
 */
final class LocalIdentities implements KeyExport, IdentityProvider, AutoCloseable {
    /** Names of the secrets: this and the public key in hex. The value is the raw secret key. */
    static final String PREFIX = "identity.";

    private static final Logger LOG = LoggerFactory.getLogger(LocalIdentities.class);
    private static final int SECRET_KEY = 32;
    private static final int AUXILIARY = 32;
    /** A random number is no key once in 2^128; that this often in a row is a broken generator. */
    private static final int KEY_ATTEMPTS = 4;
    /** What sealing a key may take. */
    private static final int PART_OF_HEAP = 3;

    private final Secrets secrets;
    private final SecureRandom random;
    private final Slot<Secp256k1> curve;
    private final ConversationKeys conversations = new ConversationKeys();
    private final AutoCloseable onLock;
    private volatile boolean closed;

    LocalIdentities(ProviderContext context, Slot<Secp256k1> curve) {
        this.secrets = context.secrets();
        this.random = context.random();
        this.curve = curve;
        // Those of keys without a passphrase go too: they come back with one key agreement each.
        this.onLock = secrets.onLock(conversations::wipe);
    }

    @Override
    public List<PublicKey> list() throws ProviderException {
        checkOpen();
        List<PublicKey> identities = new ArrayList<>();
        for (String name : secrets.names()) {
            if (name.startsWith(PREFIX)) {
                try {
                    identities.add(PublicKey.ofHex(name.substring(PREFIX.length())));
                } catch (IllegalArgumentException e) {
                    // One odd name must not hide the other identities.
                    LOG.warn("A secret is named like an identity but not after a public key; it is left out.");
                }
            }
        }
        return List.copyOf(identities);
    }

    @Override
    public PublicKey create(char @Nullable [] passphrase) throws ProviderException {
        checkOpen();
        byte[] secretKey = new byte[SECRET_KEY];
        try {
            for (int attempt = 1; ; attempt++) {
                random.nextBytes(secretKey);
                try {
                    return importKey(secretKey, passphrase);
                } catch (ProviderException e) {
                    if (!e.code().equals("crypto.bad-secret")) {
                        throw e;
                    }
                    if (attempt == KEY_ATTEMPTS) {
                        throw new ProviderException(
                                Kind.INTERNAL,
                                "crypto.rng",
                                "The random generator gives no usable keys; no identity was made. Check the system's"
                                        + " source of randomness.");
                    }
                }
            }
        } finally {
            Arrays.fill(secretKey, (byte) 0);
        }
    }

    @Override
    public PublicKey identify(byte[] secretKey) throws ProviderException {
        checkOpen();
        if (secretKey.length != SECRET_KEY) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "crypto.bad-secret",
                    "A secret key has 32 bytes, not " + secretKey.length + ". Check what was pasted.");
        }
        try (Lease<Secp256k1> lease = curve.acquire()) {
            return PublicKey.of(lease.get().publicKey(secretKey));
        }
    }

    @Override
    public PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) throws ProviderException {
        PublicKey identity = identify(secretKey);
        // The same key again without a passphrase must not take away the one it has.
        if (passphrase != null || !secrets.names().contains(name(identity))) {
            secrets.write(name(identity), secretKey, passphrase);
        }
        return identity;
    }

    @Override
    public String exportKey(PublicKey identity, char[] password) throws ProviderException {
        checkKnown(identity);
        byte[] salt = fresh(Nip49.SALT);
        byte[] nonce = fresh(Nip49.NONCE);
        byte[] secretKey = read(identity);
        try {
            return Nip19.ncryptsec(Nip49.seal(
                    password,
                    secretKey,
                    Nip49.LOG_N,
                    salt,
                    nonce,
                    Nip49.Handling.UNTRACKED,
                    Runtime.getRuntime().maxMemory() / PART_OF_HEAP));
        } catch (CipherException e) {
            throw rejected(e);
        } finally {
            Arrays.fill(secretKey, (byte) 0);
        }
    }

    @Override
    public boolean locked(PublicKey identity) throws ProviderException {
        checkKnown(identity);
        return secrets.locked(name(identity));
    }

    @Override
    public void unlock(PublicKey identity, char[] passphrase) throws ProviderException {
        checkKnown(identity);
        secrets.unlock(name(identity), passphrase);
    }

    /** The vault overwrites what it knows of the key and takes its file away; what was derived from it goes too. */
    @Override
    public boolean forget(PublicKey identity) throws ProviderException {
        checkOpen();
        secrets.delete(name(identity));
        // The generation moves on, so an operation under way leaves nothing behind either.
        conversations.wipe();
        return true;
    }

    @Override
    public Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException {
        checkKnown(identity);
        return new LocalSigner(this, identity, purposes);
    }

    /** Signs without asking what for; the signer has. */
    Event sign(PublicKey identity, EventTemplate template) throws ProviderException {
        checkOpen();
        EventId id;
        try {
            id = EventHash.id(identity, template.createdAt(), template.kind(), template.tags(), template.content());
        } catch (ProtocolException e) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "event." + e.token(),
                    "The event was not signed, its id cannot be computed: " + e.token() + ".");
        }
        byte[] auxiliary = fresh(AUXILIARY);
        byte[] secretKey = read(identity);
        byte[] signature;
        try (Lease<Secp256k1> lease = curve.acquire()) {
            signature = lease.get().sign(id.bytes(), secretKey, auxiliary);
        } finally {
            Arrays.fill(secretKey, (byte) 0);
            Arrays.fill(auxiliary, (byte) 0);
        }
        return new Event(
                id,
                identity,
                template.createdAt(),
                template.kind(),
                template.tags(),
                template.content(),
                Signature.of(signature));
    }

    String encrypt(PublicKey identity, PublicKey peer, String plaintext) throws ProviderException {
        byte[] key = conversationKey(identity, peer);
        try {
            return Nip44.encrypt(key, fresh(Nip44.NONCE), plaintext);
        } catch (CipherException e) {
            throw rejected(e);
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    String decrypt(PublicKey identity, PublicKey peer, String payload) throws ProviderException {
        byte[] key = conversationKey(identity, peer);
        try {
            return Nip44.decrypt(key, payload);
        } catch (CipherException e) {
            throw rejected(e);
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    /** A copy of the key for that pair; the caller overwrites it. */
    private byte[] conversationKey(PublicKey identity, PublicKey peer) throws ProviderException {
        checkOpen();
        byte[] cached = conversations.get(identity, peer);
        if (cached != null) {
            return cached;
        }
        long since = conversations.generation();
        byte[] secretKey = read(identity);
        byte[] shared;
        try (Lease<Secp256k1> lease = curve.acquire()) {
            shared = lease.get().ecdhX(secretKey, peer.bytes());
        } finally {
            Arrays.fill(secretKey, (byte) 0);
        }
        try {
            if (shared.length != 32 || MessageDigest.isEqual(shared, new byte[shared.length])) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "crypto.non-contributory",
                        "The key agreement gave no secret. Do not use this peer's key; check the curve provider.");
            }
            byte[] key = Nip44.conversationKey(shared);
            conversations.put(since, identity, peer, key);
            return key;
        } finally {
            Arrays.fill(shared, (byte) 0);
        }
    }

    private byte[] read(PublicKey identity) throws ProviderException {
        byte[] secretKey = secrets.read(name(identity));
        if (secretKey.length != SECRET_KEY) {
            Arrays.fill(secretKey, (byte) 0);
            throw new ProviderException(
                    Kind.CORRUPT,
                    "identity.bad-length",
                    "The kept secret key has another length than it was written with. Restore it from a backup.");
        }
        return secretKey;
    }

    private byte[] fresh(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private void checkKnown(PublicKey identity) throws ProviderException {
        checkOpen();
        if (!secrets.names().contains(name(identity))) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "identity.unknown",
                    "This node keeps no key for " + identity + ". Make the identity or import its key.");
        }
    }

    private void checkOpen() throws ProviderException {
        if (closed) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "identity.closed", "This identity provider was closed. Open a signer anew.");
        }
    }

    private static ProviderException rejected(CipherException e) {
        return new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
    }

    private static String name(PublicKey identity) {
        return PREFIX + identity.hex();
    }

    @Override
    public void close() throws Exception {
        closed = true;
        // The generation moves on, so an operation under way leaves nothing behind either.
        conversations.wipe();
        onLock.close();
    }

    /** For tests: how many conversation keys are in memory. */
    int cachedConversations() {
        return conversations.size();
    }

    @Override
    public String toString() {
        return "LocalIdentities";
    }
}
