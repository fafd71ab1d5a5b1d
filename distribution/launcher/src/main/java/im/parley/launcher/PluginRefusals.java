package im.parley.launcher;

import org.jspecify.annotations.Nullable;

/** What is said of a plugin that is not taken; the codes are in {@link TrustStore}. */
final class PluginRefusals {
    private static final String WHAT = "The plugin was refused.";

    private PluginRefusals() {}

    static LauncherException archive(String why) {
        return new LauncherException(
                "plugin.bad-archive",
                WHAT,
                why + ".",
                "Get the file from its publisher again; if it is yours, build it with an ordinary jar tool.");
    }

    static LauncherException manifest(String why) {
        return new LauncherException(
                "plugin.manifest-denied",
                WHAT,
                why + ".",
                "Its author has to build it anew; docs/plugins.md says what a manifest may hold.");
    }

    static LauncherException signature(String why, @Nullable Throwable cause) {
        return new LauncherException(
                "plugin.bad-signature",
                WHAT,
                why + ".",
                "Get the file and its .sig from the publisher again. Do not install this one.",
                cause);
    }

    static LauncherException of(String code, String why, String next) {
        return new LauncherException(code, WHAT, why + ".", next);
    }
}
