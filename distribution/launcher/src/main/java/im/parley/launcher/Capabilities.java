package im.parley.launcher;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * What a plugin says in its manifest that it reaches beyond what every provider is handed. A header that is missing means
 * nothing of the kind. The fences of the container hold a plugin to it, which stops mistakes and not hostile code.
 *
 * @param services {@code Parley-Services}: class names of host services it looks for, sorted
 * @param hosts {@code Parley-Hosts}: {@code host}, {@code host:port}, {@code *.host} for everything below it, or {@code *}; lower case,
 *     sorted
 * @param files {@code Parley-Files}
 * @param nativeCode {@code Parley-Native: yes}: it brings machine code, which no fence of Java holds
 */
public record Capabilities(List<String> services, List<String> hosts, Files files, boolean nativeCode) {
    /** For each list. */
    public static final int MAX_NAMES = 64;

    private static final Pattern CLASS = Pattern.compile("([A-Za-z_$][A-Za-z0-9_$]*\\.)+[A-Za-z_$][A-Za-z0-9_$]*");
    private static final String LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

    /** A star stands for the names below one that has two parts at least; alone, for every host. */
    private static final Pattern HOST =
            Pattern.compile("\\*|(\\*(\\." + LABEL + "){2,}|" + LABEL + "(\\." + LABEL + ")*)(:[1-9][0-9]{0,4})?");

    /** What it touches of the file system. */
    public enum Files {
        /** Nothing. */
        NONE,
        /** The directory of its own instance, which it is handed. */
        OWN
    }

    public Capabilities {
        services = List.copyOf(services);
        hosts = List.copyOf(hosts);
    }

    /**
     * As the main attributes of a manifest declare them.
     *
     * @throws LauncherException {@code plugin.manifest-denied}
     */
    public static Capabilities of(Map<String, String> manifest) throws LauncherException {
        List<String> services = names(manifest, "Parley-Services", CLASS);
        List<String> hosts = names(manifest, "Parley-Hosts", HOST);
        for (String host : hosts) {
            int colon = host.indexOf(':');
            if (host.length() > 259 || colon >= 0 && Integer.parseInt(host.substring(colon + 1)) > 65_535) {
                throw odd("Parley-Hosts", host);
            }
        }
        String files = manifest.getOrDefault("Parley-Files", "none");
        String nativeCode = manifest.getOrDefault("Parley-Native", "no");
        if (!files.equals("none") && !files.equals("own")) {
            throw odd("Parley-Files", files);
        }
        if (!nativeCode.equals("yes") && !nativeCode.equals("no")) {
            throw odd("Parley-Native", nativeCode);
        }
        return new Capabilities(
                services, hosts, Files.valueOf(files.toUpperCase(Locale.ROOT)), nativeCode.equals("yes"));
    }

    private static List<String> names(Map<String, String> manifest, String header, Pattern shape)
            throws LauncherException {
        String value = manifest.getOrDefault(header, "");
        List<String> names = new ArrayList<>();
        if (!value.isEmpty()) {
            for (String name : value.split(",", -1)) {
                String stripped = name.strip();
                if (stripped.length() > 512 || !shape.matcher(stripped).matches()) {
                    throw odd(header, stripped);
                }
                names.add(stripped);
            }
        }
        if (names.size() > MAX_NAMES) {
            throw PluginRefusals.manifest("Its header " + header + " has more than " + MAX_NAMES + " names");
        }
        return List.copyOf(new TreeSet<>(names));
    }

    private static LauncherException odd(String header, String value) {
        String shown = value.length() > 80 ? value.substring(0, 80) + "..." : value;
        return PluginRefusals.manifest(
                "Its header " + header + " says \"" + shown + "\", which is none of what it may say");
    }
}
