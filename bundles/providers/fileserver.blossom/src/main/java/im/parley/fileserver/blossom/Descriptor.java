package im.parley.fileserver.blossom;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.Sha256;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a server says of a blob it has taken (BUD-02), as far as it can be believed.
 *
 * @param url null if there is none that names the blob
 * @param sha256 as written; null if it is not there
 */
record Descriptor(@Nullable URI url, @Nullable String sha256) {
    private static final JsonFactory JSON = new JsonFactory();

    static Descriptor of(String text, Sha256 hash) {
        String url = null;
        String sha256 = null;
        try (JsonParser parser = JSON.createParser(text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return new Descriptor(null, null);
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                boolean string = parser.nextToken() == JsonToken.VALUE_STRING;
                if (string && name.equals("url")) {
                    url = parser.getText();
                } else if (string && name.equals("sha256")) {
                    sha256 = parser.getText();
                } else {
                    parser.skipChildren();
                }
            }
        } catch (IOException e) {
            // Half a descriptor is no descriptor: the blob is at its hash anyway.
            return new Descriptor(null, null);
        }
        return new Descriptor(url(url, hash), sha256);
    }

    private static @Nullable URI url(@Nullable String text, Sha256 hash) {
        if (text == null || !text.contains(hash.hex())) {
            return null;
        }
        try {
            URI url = new URI(text);
            String scheme = String.valueOf(url.getScheme()).toLowerCase(Locale.ROOT);
            boolean good = (scheme.equals("https") || scheme.equals("http"))
                    && url.getHost() != null
                    && url.getRawUserInfo() == null;
            return good ? url : null;
        } catch (URISyntaxException e) {
            return null;
        }
    }
}
