package im.parley.bunker.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.bunker.Bunker.Grant;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A client as it is kept.
 *
 * @param signerKey 32 bytes, secret: what answers this client and no other
 * @param client null while it is only invited
 * @param secretHash SHA-256 of what admits it; empty once it is connected, or void
 */
record Admission(
        String name,
        PublicKey identity,
        byte[] signerKey,
        @Nullable PublicKey client,
        byte[] secretHash,
        Grant grant,
        List<URI> relays,
        long invited) {
    private static final int VERSION = 1;
    private static final int KEY = 32;

    /** Connected: the invitation is used up. */
    Admission with(PublicKey connected) {
        return new Admission(name, identity, signerKey, connected, new byte[0], grant, relays, invited);
    }

    /** Void: nobody gets in any more. */
    Admission withoutSecret() {
        return new Admission(name, identity, signerKey, client, new byte[0], grant, relays, invited);
    }

    byte[] write() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(VERSION);
            out.writeUTF(name);
            out.write(identity.bytes());
            out.write(signerKey);
            out.writeBoolean(client != null);
            if (client != null) {
                out.write(client.bytes());
            }
            out.writeByte(secretHash.length);
            out.write(secretHash);
            out.writeBoolean(grant.nip44());
            out.writeShort(grant.kinds().size());
            for (int kind : new TreeSet<>(grant.kinds())) {
                out.writeInt(kind);
            }
            out.writeByte(relays.size());
            for (URI relay : relays) {
                out.writeUTF(relay.toString());
            }
            out.writeLong(invited);
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory cannot fail", e);
        }
        return bytes.toByteArray();
    }

    static Admission read(byte[] value) throws ProviderException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(value))) {
            if (in.readByte() != VERSION) {
                throw new IOException("another version");
            }
            String name = in.readUTF();
            PublicKey identity = PublicKey.of(in.readNBytes(PublicKey.LENGTH));
            byte[] signerKey = in.readNBytes(KEY);
            PublicKey client = in.readBoolean() ? PublicKey.of(in.readNBytes(PublicKey.LENGTH)) : null;
            byte[] secretHash = in.readNBytes(in.readUnsignedByte());
            boolean nip44 = in.readBoolean();
            Set<Integer> kinds = new TreeSet<>();
            int count = in.readUnsignedShort();
            for (int i = 0; i < count; i++) {
                kinds.add(in.readInt());
            }
            List<URI> relays = new ArrayList<>();
            int urls = in.readUnsignedByte();
            for (int i = 0; i < urls; i++) {
                relays.add(URI.create(in.readUTF()));
            }
            return new Admission(
                    name,
                    identity,
                    signerKey,
                    client,
                    secretHash,
                    new Grant(kinds, nip44),
                    List.copyOf(relays),
                    in.readLong());
        } catch (IOException | IllegalArgumentException e) {
            throw new ProviderException(
                    Kind.CORRUPT, "bunker.bad-record", "What was kept of a client cannot be read. Revoke it.");
        }
    }

    /** Without key and hash. */
    @Override
    public String toString() {
        return "Admission[" + name + "]";
    }
}
