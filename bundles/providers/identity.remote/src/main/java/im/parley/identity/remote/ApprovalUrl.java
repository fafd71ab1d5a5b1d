package im.parley.identity.remote;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Where a signer wants its user to look. It is shown to a person, so it must be what it looks like. */
final class ApprovalUrl {
    private static final int MAX_LENGTH = 2_048;

    private ApprovalUrl() {}

    /** The URL as it may be shown; null if it may not. */
    static @Nullable String checked(@Nullable String text) {
        if (text == null || text.length() > MAX_LENGTH || !text.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
            return null;
        }
        try {
            URI url = new URI(text);
            String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
            boolean web = scheme.equals("https") || scheme.equals("http");
            boolean host = url.getHost() != null && !url.getHost().isEmpty();
            // user@host shows one name and leads to another.
            return web && host && url.getRawUserInfo() == null ? text : null;
        } catch (URISyntaxException e) {
            return null;
        }
    }
}
