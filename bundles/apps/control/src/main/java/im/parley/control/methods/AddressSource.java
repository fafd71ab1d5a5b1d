package im.parley.control.methods;

import java.util.Map;

/** Where the node listens; a service inside this bundle, there if the node listens at all. Thread-safe. */
public interface AddressSource {
    /** URL by name, for people. */
    Map<String, String> urls();
}
