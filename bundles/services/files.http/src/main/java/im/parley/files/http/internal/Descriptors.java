package im.parley.files.http.internal;

import java.util.List;

/**
 * Blob descriptors (BUD-02). Every text in them is a configured URL, hex, or a media type of harmless characters, so
 * nothing needs to be escaped.
 */
final class Descriptors {
    private Descriptors() {}

    private static String fields(String url, Ownership.Entry entry) {
        return "{\"url\":\"" + address(url, entry) + "\",\"sha256\":\""
                + entry.hash().hex() + "\",\"size\":" + entry.sizeBytes() + ",\"type\":\""
                + entry.type().text() + "\",\"uploaded\":" + entry.uploaded();
    }

    private static String address(String url, Ownership.Entry entry) {
        return url + "/" + entry.hash().hex() + "." + entry.type().extension();
    }

    /** With the tags of NIP-94 (BUD-08). */
    static String withTags(String url, Ownership.Entry entry) {
        return fields(url, entry) + ",\"nip94\":[[\"url\",\"" + address(url, entry) + "\"],[\"m\",\""
                + entry.type().text() + "\"],[\"x\",\"" + entry.hash().hex() + "\"],[\"size\",\"" + entry.sizeBytes()
                + "\"]]}";
    }

    static String list(String url, List<Ownership.Entry> entries) {
        StringBuilder json = new StringBuilder(2 + 320 * entries.size()).append('[');
        for (Ownership.Entry entry : entries) {
            json.append(json.length() > 1 ? "," : "").append(fields(url, entry)).append('}');
        }
        return json.append(']').toString();
    }
}
