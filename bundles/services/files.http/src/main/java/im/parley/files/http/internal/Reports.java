package im.parley.files.http.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.http.ContentRoute.Exchange;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code PUT /report} (BUD-09): a signed report about blobs that are here is written to the log, for the operator to look
 * at. Nothing else follows from it. Thread-safe.
 */
final class Reports {
    /** As many requests as one of these counts for: each may be a line of the log. */
    static final int WEIGHT = 20;

    private static final Logger LOG = LoggerFactory.getLogger(Reports.class);
    private static final int KIND = 1984;
    private static final int MAX_BYTES = 16 * 1024;
    private static final int MAX_BLOBS = 20;
    private static final long MAX_AGE_SECONDS = 7 * 86_400;
    private static final long CLOCK_SECONDS = 300;
    /** Of NIP-56; what else stands there is a stranger's text and does not get into the log. */
    private static final Set<String> TYPES =
            Set.of("nudity", "malware", "profanity", "illegal", "spam", "impersonation", "other");

    private final Ownership ownership;
    private final Slot<Secp256k1> curve;
    private final InstantSource clock;

    Reports(Ownership ownership, Slot<Secp256k1> curve, InstantSource clock) {
        this.ownership = ownership;
        this.curve = curve;
        this.clock = clock;
    }

    private record About(Sha256 hash, String type) {}

    void put(Exchange exchange) throws Refusal, ProviderException, IOException {
        if (exchange.contentLength() > MAX_BYTES) {
            throw tooLarge();
        }
        byte[] body = exchange.body().readNBytes(MAX_BYTES + 1);
        if (body.length > MAX_BYTES) {
            throw tooLarge();
        }
        Event report = report(body);
        List<About> known = new ArrayList<>();
        for (About about : about(report)) {
            if (ownership.find(about.hash()).isPresent()) {
                known.add(about);
            }
        }
        if (known.isEmpty()) {
            throw Refusal.absent();
        }
        for (About about : known) {
            LOG.warn(
                    "blob.reported: event {} reports {} as {}; look at it and decide",
                    report.id(),
                    about.hash(),
                    about.type());
        }
        exchange.answer(200, FileServer.headers(Map.of()), 0);
    }

    private static Refusal tooLarge() {
        return new Refusal(413, "report.too-large", "A report may have 16 KiB.");
    }

    private Event report(byte[] body) throws Refusal, ProviderException {
        try {
            Event event = EventReader.read(body);
            long age = clock.instant().getEpochSecond() - event.createdAt();
            if (event.kind() != KIND || age > MAX_AGE_SECONDS || age < -CLOCK_SECONDS) {
                throw new Refusal(400, "report.invalid", "A report is an event of kind 1984, not older than a week.");
            }
            try (Lease<Secp256k1> lease = curve.acquire()) {
                EventVerifier.verify(event, lease.get());
            }
            return event;
        } catch (ProtocolException e) {
            throw new Refusal(400, "report.invalid", "A report is a signed Nostr event of kind 1984.");
        }
    }

    private static List<About> about(Event report) throws Refusal {
        List<About> blobs = new ArrayList<>();
        for (List<String> tag : report.tags()) {
            if (tag.get(0).equals("x") && tag.size() > 1) {
                Sha256 hash = Hashes.parse(tag.get(1));
                if (hash == null || blobs.size() == MAX_BLOBS) {
                    throw new Refusal(
                            400, "report.invalid", "A report names up to 20 blobs by their SHA-256 in x tags.");
                }
                String type = tag.size() > 2 ? tag.get(2) : "other";
                blobs.add(new About(hash, TYPES.contains(type) ? type : "other"));
            }
        }
        return blobs;
    }
}
