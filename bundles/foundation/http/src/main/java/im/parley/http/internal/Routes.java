package im.parley.http.internal;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The table of routes: listener and exact path to the route of the highest ranking. Thread-safe, lookups lock nothing. */
final class Routes {
    private static final Logger log = LoggerFactory.getLogger(Routes.class);

    private record Place(String listener, String path) {}

    private record Entry(Place place, HttpRoute route, int ranking, long id) {}

    private static final Comparator<Entry> BEST_LAST =
            Comparator.comparingInt(Entry::ranking).thenComparing(Entry::id, Comparator.reverseOrder());

    private final List<Entry> entries = new ArrayList<>();
    private volatile Map<Place, HttpRoute> table = Map.of();
    private volatile Map<String, ContentRoute> contents = Map.of();

    synchronized void add(HttpRoute route, Map<String, ?> properties) {
        if (!(properties.get(HttpRoute.LISTENER) instanceof String listener)
                || !(properties.get(HttpRoute.PATH) instanceof String path)
                || !path.startsWith("/")) {
            log.warn(
                    "A route lacks {} or {} (a path that starts with /) and is not served: {}",
                    HttpRoute.LISTENER,
                    HttpRoute.PATH,
                    route.getClass().getName());
            return;
        }
        Place place = new Place(listener, path);
        if (entries.stream().anyMatch(e -> e.place.equals(place))) {
            log.warn("Two routes want {} of listener {}; the one of higher service.ranking is served", path, listener);
        }
        int ranking = properties.get("service.ranking") instanceof Integer number ? number : 0;
        long id = properties.get("service.id") instanceof Long number ? number : 0;
        entries.add(new Entry(place, route, ranking, id));
        rebuild();
    }

    synchronized void remove(HttpRoute route) {
        entries.removeIf(e -> e.route == route);
        rebuild();
    }

    private void rebuild() {
        entries.sort(BEST_LAST);
        Map<Place, HttpRoute> next = new HashMap<>();
        for (Entry entry : entries) {
            next.put(entry.place, entry.route);
        }
        table = Map.copyOf(next);
    }

    @Nullable
    HttpRoute find(String listener, String path) {
        return table.get(new Place(listener, path));
    }

    /** The first one has the listener until it goes. */
    synchronized void add(ContentRoute route, Map<String, ?> properties) {
        if (!(properties.get(HttpRoute.LISTENER) instanceof String listener)) {
            log.warn(
                    "A content route lacks {} and is not served: {}",
                    HttpRoute.LISTENER,
                    route.getClass().getName());
            return;
        }
        Map<String, ContentRoute> next = new HashMap<>(contents);
        if (next.putIfAbsent(listener, route) != null) {
            log.warn("Two content routes want listener {}; the one that came first is served", listener);
        }
        contents = Map.copyOf(next);
    }

    synchronized void remove(ContentRoute route) {
        Map<String, ContentRoute> next = new HashMap<>(contents);
        next.values().removeIf(each -> each == route);
        contents = Map.copyOf(next);
    }

    /** Who answers what has no route of its own. */
    @Nullable
    ContentRoute content(String listener) {
        return contents.get(listener);
    }
}
