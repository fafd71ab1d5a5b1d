package im.parley.cli;

/** Text as one word of a shell. */
final class Shell {
    private static final String HARMLESS = "/._-+:@%,";

    private Shell() {}

    static String quoted(String word) {
        boolean harmless = !word.isEmpty()
                && word.chars()
                        .allMatch(c -> c >= 'a' && c <= 'z'
                                || c >= 'A' && c <= 'Z'
                                || c >= '0' && c <= '9'
                                || HARMLESS.indexOf(c) >= 0);
        return harmless ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
