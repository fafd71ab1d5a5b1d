package im.parley.launcher.fence;

import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.osgi.framework.Bundle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts what the fence stopped; each kind of attempt of each bundle is logged and audited once. Thread-safe. */
final class Denials {
    private static final Logger LOG = LoggerFactory.getLogger(Denials.class);
    /** Of the attempts that are told apart; a plugin that makes up more of them is only counted. */
    private static final int MAX_TOLD = 1_000;

    private static final int MAX_TEXT = 300;

    private final Fence.Audit audit;
    private final Map<String, Long> counts = new TreeMap<>();
    private final Set<String> told = new HashSet<>();

    Denials(Fence.Audit audit) {
        this.audit = audit;
    }

    /**
     * @param code what it is counted as, and the act in the audit log
     * @param raw what it did, in a few words
     */
    void add(String code, Bundle bundle, String raw) {
        String what = plain(raw);
        synchronized (this) {
            counts.merge(code, 1L, Long::sum);
            if (told.size() >= MAX_TOLD || !told.add(code + bundle.getBundleId() + what)) {
                return;
            }
        }
        LOG.warn("{}: {} {} ({}) {}", code, bundle.getSymbolicName(), bundle.getVersion(), bundle.getBundleId(), what);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("bundle", String.valueOf(bundle.getSymbolicName()));
        line.put("version", String.valueOf(bundle.getVersion()));
        line.put("what", what);
        try {
            audit.add(code, line);
        } catch (IOException | RuntimeException e) {
            LOG.error("The audit log has no line for {} of {}", code, bundle.getSymbolicName(), e);
        }
    }

    /** A service factory may name types that are none, so what is written may be of the plugin's choice. */
    private static String plain(String raw) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < raw.length() && i < MAX_TEXT; i++) {
            char c = raw.charAt(i);
            plain.append(c >= 0x20 && c < 0x7f ? c : '?');
        }
        return plain.toString();
    }

    /** The fence itself could not do what it should. */
    void failed(String what, Exception cause) {
        LOG.error("{}", what, cause);
    }

    synchronized Map<String, Long> counts() {
        return new TreeMap<>(counts);
    }
}
