package im.parley.control.methods;

import im.parley.http.Listeners;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.TreeMap;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Turns the HTTP server's listeners into URLs that a person can use. */
@Component(name = "im.parley.control.listeners", service = AddressSource.class)
public final class ListenerAddresses implements AddressSource {
    private final Listeners listeners;

    @Activate
    public ListenerAddresses(@Reference Listeners listeners) {
        this.listeners = listeners;
    }

    @Override
    public Map<String, String> urls() {
        Map<String, String> urls = new TreeMap<>();
        listeners.bound().forEach((name, address) -> urls.put(name, url(name, address)));
        return urls;
    }

    private static String url(String name, InetSocketAddress address) {
        String host = address.getAddress().getHostAddress();
        return (name.equals("relay") ? "ws" : "http") + "://" + (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":"
                + address.getPort();
    }
}
