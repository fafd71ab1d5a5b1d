package im.parley.identity.remote;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/**
 * A connection as it is kept: what it takes to ask again after a restart. The secret that admitted it is not part of it.
 *
 * @param clientKey 32 bytes, secret
 * @param named relays that the user named
 * @param relays where the signer listens now
 */
record KeptSession(Scope scope, byte[] clientKey, PublicKey signer, List<URI> named, List<URI> relays) {
    private static final int VERSION = 1;
    private static final int KEY = 32;

    /** The caller overwrites it. */
    byte[] write() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(VERSION);
            out.writeUTF(scope.circle());
            out.write(clientKey);
            out.write(signer.bytes());
            write(out, named);
            write(out, relays);
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory cannot fail", e);
        }
        return bytes.toByteArray();
    }

    private static void write(DataOutputStream out, List<URI> relays) throws IOException {
        out.writeByte(relays.size());
        for (URI relay : relays) {
            out.writeUTF(relay.toString());
        }
    }

    static KeptSession read(byte[] value) throws ProviderException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(value))) {
            if (in.readByte() != VERSION) {
                throw new IOException("another version");
            }
            Scope scope = new Scope(in.readUTF());
            byte[] clientKey = in.readNBytes(KEY);
            PublicKey signer = PublicKey.of(in.readNBytes(PublicKey.LENGTH));
            return new KeptSession(scope, clientKey, signer, relays(in), relays(in));
        } catch (IOException | IllegalArgumentException e) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "nip46.bad-session",
                    "What was kept of a remote signer cannot be read. Disconnect it and connect it anew.");
        }
    }

    private static List<URI> relays(DataInputStream in) throws IOException {
        int count = in.readUnsignedByte();
        List<URI> relays = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            relays.add(URI.create(in.readUTF()));
        }
        return relays;
    }

    /** Without the key. */
    @Override
    public String toString() {
        return "KeptSession[" + signer + ", " + relays + "]";
    }
}
