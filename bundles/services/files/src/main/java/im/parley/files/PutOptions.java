package im.parley.files;

/**
 * What a user says about a file that she sends.
 *
 * @param name shown to those who receive it; empty for the name it has on disk
 * @param mediaType empty to find out
 * @param keepMetadata sends an image as it is, with the place and the camera that it may name
 * @param durationMillis of a voice note or a video, 0 for none
 * @param waveform of a voice note: numbers of 0 to 100 with spaces between them; empty for none
 */
public record PutOptions(String name, String mediaType, boolean keepMetadata, long durationMillis, String waveform) {
    /** Nothing said. */
    public static final PutOptions NONE = new PutOptions("", "", false, 0, "");

    private static final int MAX_TEXT = 4_096;

    public PutOptions {
        if (name.length() > 255 || mediaType.length() > 127 || waveform.length() > MAX_TEXT || durationMillis < 0) {
            throw new IllegalArgumentException("a name, a type or a waveform is too long");
        }
    }
}
