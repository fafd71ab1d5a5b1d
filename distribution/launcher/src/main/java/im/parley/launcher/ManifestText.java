package im.parley.launcher;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The main section of a manifest, read more strictly than Java and the framework read it, so that what is checked here is
 * what they see: no header twice in whatever letters, no odd line ends, no control characters.
 */
final class ManifestText {
    static final int MAX_BYTES = 1 << 20;

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,69}");

    private ManifestText() {}

    /**
     * The main attributes; names are found in any letters.
     *
     * @throws LauncherException {@code plugin.manifest-denied}
     */
    static Map<String, String> mainAttributes(byte[] content) throws LauncherException {
        if (content.length > MAX_BYTES) {
            throw PluginRefusals.manifest("Its manifest has more than " + (MAX_BYTES >> 10) + " KiB");
        }
        Map<String, String> attributes = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (byte[] line : mainLines(content)) {
            String text = text(line);
            int colon = text.indexOf(": ");
            if (colon < 0 || !NAME.matcher(text.substring(0, colon)).matches()) {
                throw PluginRefusals.manifest("Its manifest has a line that is no header");
            }
            String name = text.substring(0, colon);
            if (attributes.put(name, text.substring(colon + 2).strip()) != null) {
                throw PluginRefusals.manifest("Its manifest has the header " + name + " twice");
            }
        }
        if (!"1.0".equals(attributes.get("Manifest-Version"))) {
            throw PluginRefusals.manifest("Its manifest has no Manifest-Version 1.0");
        }
        return Collections.unmodifiableMap(attributes);
    }

    /** Continued ones joined as bytes, since a character may be cut between two. */
    private static List<byte[]> mainLines(byte[] content) throws LauncherException {
        List<byte[]> lines = new ArrayList<>();
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int from = 0;
        while (from < content.length) {
            int feed = from;
            while (feed < content.length && content[feed] != '\n') {
                feed++;
            }
            if (feed == content.length) {
                throw PluginRefusals.manifest("The last line of its manifest has no end");
            }
            int end = feed > from && content[feed - 1] == '\r' ? feed - 1 : feed;
            if (end == from) {
                break;
            }
            if (content[from] == ' ') {
                if (line.size() == 0) {
                    throw PluginRefusals.manifest("Its manifest continues a line that is not there");
                }
                line.write(content, from + 1, end - from - 1);
            } else {
                if (line.size() > 0) {
                    lines.add(line.toByteArray());
                    line.reset();
                }
                line.write(content, from, end - from);
            }
            from = feed + 1;
        }
        if (line.size() > 0) {
            lines.add(line.toByteArray());
        }
        return lines;
    }

    private static String text(byte[] line) throws LauncherException {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(line))
                    .toString();
            if (text.chars().anyMatch(Character::isISOControl)) {
                throw PluginRefusals.manifest("Its manifest has a control character");
            }
            return text;
        } catch (CharacterCodingException e) {
            throw PluginRefusals.manifest("Its manifest is no UTF-8");
        }
    }
}
