package im.parley.files.http.internal;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a blob is said to be: type and subtype, lower case, without parameters, so that what a client sends is never
 * reflected as it came.
 */
record MediaType(String text) {
    static final MediaType UNKNOWN = new MediaType("application/octet-stream");

    private static final int MAX_LENGTH = 127;
    private static final Pattern TYPE =
            Pattern.compile("([a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63})[ \t]*(;[ -~]*)?");

    /** Shown in a page of this origin they can do nothing, sandbox or not; all others are for saving. */
    private static final Set<String> PASSIVE = Set.of(
            "image/png",
            "image/jpeg",
            "image/gif",
            "image/webp",
            "image/avif",
            "image/bmp",
            "text/plain",
            "audio/mpeg",
            "audio/mp4",
            "audio/ogg",
            "audio/wav",
            "audio/webm",
            "audio/flac",
            "audio/aac",
            "video/mp4",
            "video/webm",
            "video/ogg",
            "video/quicktime");

    private static final Map<String, String> EXTENSIONS = Map.ofEntries(
            Map.entry("image/png", "png"),
            Map.entry("image/jpeg", "jpg"),
            Map.entry("image/gif", "gif"),
            Map.entry("image/webp", "webp"),
            Map.entry("image/avif", "avif"),
            Map.entry("image/bmp", "bmp"),
            Map.entry("image/svg+xml", "svg"),
            Map.entry("image/heic", "heic"),
            Map.entry("text/plain", "txt"),
            Map.entry("text/html", "html"),
            Map.entry("text/css", "css"),
            Map.entry("text/csv", "csv"),
            Map.entry("text/markdown", "md"),
            Map.entry("audio/mpeg", "mp3"),
            Map.entry("audio/mp4", "m4a"),
            Map.entry("audio/ogg", "ogg"),
            Map.entry("audio/wav", "wav"),
            Map.entry("audio/webm", "weba"),
            Map.entry("audio/flac", "flac"),
            Map.entry("video/mp4", "mp4"),
            Map.entry("video/webm", "webm"),
            Map.entry("video/quicktime", "mov"),
            Map.entry("application/pdf", "pdf"),
            Map.entry("application/json", "json"),
            Map.entry("application/zip", "zip"),
            Map.entry("application/gzip", "gz"),
            Map.entry("application/xml", "xml"),
            Map.entry("application/xhtml+xml", "xhtml"));

    /**
     * @param header of the request; null if there is none
     * @throws Refusal 400 {@code type.invalid}
     */
    static MediaType of(@Nullable String header) throws Refusal {
        if (header == null || header.isBlank()) {
            return UNKNOWN;
        }
        String text = header.strip().toLowerCase(Locale.ROOT);
        var matcher = TYPE.matcher(text);
        // A comma in front of parameters would be a list; within them nothing is kept anyway.
        if (text.length() > MAX_LENGTH || !matcher.matches() || text.indexOf(',') >= 0) {
            throw new Refusal(400, "type.invalid", "The type of a blob is one type and subtype, such as image/png.");
        }
        return new MediaType(matcher.group(1));
    }

    /** Without a dot; {@code bin} where none is known. */
    String extension() {
        return EXTENSIONS.getOrDefault(text, "bin");
    }

    /** Whether a browser may show it where it is, instead of saving it. */
    boolean passive() {
        return PASSIVE.contains(text);
    }
}
