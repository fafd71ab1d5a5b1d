package im.parley.launcher;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What a host application, or the command line, decides about one node. Immutable. */
public final class ParleyConfig {
    /** Where the ports begin unless said otherwise: relay, then web, files and admin on the next three. */
    public static final int DEFAULT_PORT_BASE = 7470;

    /** The capabilities a node may have; {@code base} comes with each. */
    public static final Set<String> FEATURES = Set.of("personal", "infrastructure");

    /** Stands for all of {@link #FEATURES}. */
    public static final String ALL_FEATURES = "all";

    private static final int MIN_PORT_BASE = 1024;
    static final int MAX_PORT_BASE = 65532;

    private final Path home;
    private final Path dataDir;
    private final @Nullable Path stateDir;
    private final @Nullable Path runtimeDir;
    private final @Nullable Integer portBase;
    private final @Nullable List<String> relayUrls;
    private final @Nullable List<String> filesUrls;
    private final Set<String> features;
    private final Map<String, String> frameworkProperties;
    private final boolean testing;
    private final Duration readyWithin;

    private ParleyConfig(Builder builder) {
        this.home = builder.home.toAbsolutePath().normalize();
        this.dataDir = builder.dataDir.toAbsolutePath().normalize();
        this.stateDir = builder.stateDir == null
                ? null
                : builder.stateDir.toAbsolutePath().normalize();
        this.runtimeDir = builder.runtimeDir == null
                ? null
                : builder.runtimeDir.toAbsolutePath().normalize();
        this.portBase = builder.portBase;
        this.relayUrls = builder.relayUrls == null ? null : List.copyOf(builder.relayUrls);
        this.filesUrls = builder.filesUrls == null ? null : List.copyOf(builder.filesUrls);
        this.features = Set.copyOf(builder.features);
        this.frameworkProperties = Map.copyOf(builder.frameworkProperties);
        this.testing = builder.testing;
        this.readyWithin = builder.readyWithin;
    }

    /**
     * @param home directory of the unpacked distribution; only read
     * @param dataDir where the node keeps everything but its device key; made if absent
     */
    public static Builder builder(Path home, Path dataDir) {
        return new Builder(home, dataDir);
    }

    Path home() {
        return home;
    }

    Path dataDir() {
        return dataDir;
    }

    @Nullable
    Path stateDir() {
        return stateDir;
    }

    @Nullable
    Path runtimeDir() {
        return runtimeDir;
    }

    @Nullable
    Integer portBase() {
        return portBase;
    }

    @Nullable
    List<String> relayUrls() {
        return relayUrls;
    }

    @Nullable
    List<String> filesUrls() {
        return filesUrls;
    }

    Set<String> features() {
        return features;
    }

    Map<String, String> frameworkProperties() {
        return frameworkProperties;
    }

    boolean testing() {
        return testing;
    }

    Duration readyWithin() {
        return readyWithin;
    }

    /** Collects the decisions. Not thread-safe. */
    public static final class Builder {
        private final Path home;
        private final Path dataDir;
        private @Nullable Path stateDir;
        private @Nullable Path runtimeDir;
        private @Nullable Integer portBase;
        private @Nullable List<String> relayUrls;
        private @Nullable List<String> filesUrls;
        private final Set<String> features = new TreeSet<>();
        private final Map<String, String> frameworkProperties = new LinkedHashMap<>();
        private boolean testing;
        private Duration readyWithin = Duration.ofMinutes(2);

        private Builder(Path home, Path dataDir) {
            this.home = home;
            this.dataDir = dataDir;
        }

        /**
         * Where the device key lives, outside the data directory so that a copy of the data alone opens nothing. Default:
         * {@code parley} under {@code $XDG_STATE_HOME} or {@code ~/.local/state}, for all nodes of a user.
         */
        public Builder stateDir(Path directory) {
            this.stateDir = directory;
            return this;
        }

        /**
         * Where the control socket lives. Default: in the data directory, or in {@code /tmp/parley-<uid>} if that one's
         * path is longer than the system allows for a socket.
         */
        public Builder runtimeDir(Path directory) {
            this.runtimeDir = directory;
            return this;
        }

        /**
         * Port of the relay; web, files and admin follow. Default: what the last start used, at first {@value
         * ParleyConfig#DEFAULT_PORT_BASE}.
         *
         * @throws IllegalArgumentException outside 1024 to 65532
         */
        public Builder portBase(int port) {
            if (port < MIN_PORT_BASE || port > MAX_PORT_BASE) {
                throw new IllegalArgumentException(
                        "the port base is " + port + "; it must be " + MIN_PORT_BASE + " to " + MAX_PORT_BASE);
            }
            this.portBase = port;
            return this;
        }

        /**
         * Adds a capability, or with {@value ParleyConfig#ALL_FEATURES} every one. Default: what the last start used, at
         * first all.
         *
         * @throws IllegalArgumentException if it is not one of {@link ParleyConfig#FEATURES}
         */
        public Builder feature(String name) {
            if (name.equals(ALL_FEATURES)) {
                features.addAll(FEATURES);
                return this;
            }
            if (!FEATURES.contains(name)) {
                throw new IllegalArgumentException("there is no feature " + name + "; there are "
                        + String.join(", ", new TreeSet<>(FEATURES)) + " and " + ALL_FEATURES);
            }
            features.add(name);
            return this;
        }

        /** A framework property; wins over the launcher's own. */
        public Builder frameworkProperty(String name, String value) {
            frameworkProperties.put(name, value);
            return this;
        }

        /**
         * Addresses under which others reach this node's relay, for example behind a TLS proxy; replaces those of the last
         * start. The first one becomes the inbox relay of this node's own identities. Default: loopback only.
         *
         * @throws IllegalArgumentException unless each is a ws or wss URL of host, port and path alone
         */
        public Builder relayUrls(List<String> urls) {
            for (String url : urls) {
                URI address = URI.create(url);
                boolean plain = ("ws".equals(address.getScheme()) || "wss".equals(address.getScheme()))
                        && address.getHost() != null
                        && address.getRawUserInfo() == null
                        && address.getRawQuery() == null
                        && address.getRawFragment() == null;
                if (!plain) {
                    throw new IllegalArgumentException(
                            "a relay URL looks like wss://relay.example.org, and " + url + " does not");
                }
            }
            this.relayUrls = List.copyOf(urls);
            return this;
        }

        /**
         * Addresses under which others reach this node's file server; replaces those of the last start. The first one is told
         * to those who upload. Default: loopback only.
         *
         * @throws IllegalArgumentException unless each is an http or https URL of host and port alone
         */
        public Builder filesUrls(List<String> urls) {
            for (String url : urls) {
                URI address = URI.create(url);
                boolean plain = ("http".equals(address.getScheme()) || "https".equals(address.getScheme()))
                        && address.getHost() != null
                        && address.getRawUserInfo() == null
                        && (address.getRawPath().isEmpty()
                                || address.getRawPath().equals("/"))
                        && address.getRawQuery() == null
                        && address.getRawFragment() == null;
                if (!plain) {
                    throw new IllegalArgumentException(
                            "a file server's URL looks like https://files.example.org, and " + url + " does not");
                }
            }
            this.filesUrls = List.copyOf(urls);
            return this;
        }

        /** Allows providers that keep nothing. For tests only. */
        public Builder testing(boolean allowed) {
            this.testing = allowed;
            return this;
        }

        /** How long {@link Parley#start} waits for everything to be ready. Default: 120 s. */
        public Builder readyWithin(Duration limit) {
            this.readyWithin = limit;
            return this;
        }

        /** @throws IllegalArgumentException if a path is empty, which would mean wherever the process happens to be */
        public ParleyConfig build() {
            refuseEmpty(home);
            refuseEmpty(dataDir);
            refuseEmpty(stateDir);
            refuseEmpty(runtimeDir);
            return new ParleyConfig(this);
        }

        private static void refuseEmpty(@Nullable Path path) {
            if (path != null && path.toString().isEmpty()) {
                throw new IllegalArgumentException("an empty path names no directory");
            }
        }
    }
}
