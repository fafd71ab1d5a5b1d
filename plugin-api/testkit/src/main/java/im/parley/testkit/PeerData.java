package im.parley.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * Cross-check data that independent software has written (nostr-tools, libsecp256k1), so that everybody who builds tests
 * against something that we did not write. It comes with this jar; {@code distribution/itests/peers/generate.mjs} made it.
 */
public final class PeerData {
    private PeerData() {}

    /**
     * The whole file, an array.
     *
     * @param name {@code nip44.json}, {@code nip59.json}, {@code nip19.json} or {@code bip340.json}
     */
    public static JsonNode json(String name) {
        try (InputStream in = PeerData.class.getResourceAsStream("peers/" + name)) {
            if (in == null) {
                throw new IllegalArgumentException("no peer data is called " + name);
            }
            return new ObjectMapper().readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
