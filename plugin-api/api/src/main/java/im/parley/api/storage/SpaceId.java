package im.parley.api.storage;

/**
 * Name of a space of records.
 *
 * @param value 1 to 64 characters of {@code a-z 0-9 - :}
 */
public record SpaceId(String value) {
    public SpaceId {
        if (!isValid(value)) {
            throw new IllegalArgumentException("a space id has 1 to 64 characters of a-z, 0-9, - and :");
        }
    }

    private static boolean isValid(String value) {
        return !value.isEmpty()
                && value.length() <= 64
                && value.chars().allMatch(c -> c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == ':');
    }
}
