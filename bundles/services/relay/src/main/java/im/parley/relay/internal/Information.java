package im.parley.relay.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;

/** Writes the NIP-11 document from the configuration, so that what is said is what is enforced. */
final class Information {
    /** Relay NIPs only, and only those that are whole. */
    private static final int[] NIPS = {1, 9, 11, 13, 40, 42, 45, 59, 62, 70};

    /** What the grammar takes (NIP-01); not configurable. */
    private static final int MAX_SUBID_LENGTH = 64;

    private Information() {}

    static String document(RelaySettings settings) {
        StringWriter out = new StringWriter();
        try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
            json.writeStartObject();
            json.writeStringField("name", settings.name());
            optional(json, "description", settings.description());
            optional(json, "pubkey", settings.pubkey());
            optional(json, "contact", settings.contact());
            json.writeFieldName("supported_nips");
            json.writeArray(NIPS, 0, NIPS.length);
            json.writeObjectFieldStart("limitation");
            json.writeNumberField("max_message_length", settings.maxMessageLength());
            json.writeNumberField("max_subscriptions", settings.maxSubscriptions());
            json.writeNumberField("max_limit", settings.maxLimit());
            json.writeNumberField("default_limit", settings.maxLimit());
            json.writeNumberField("max_subid_length", MAX_SUBID_LENGTH);
            json.writeNumberField("max_event_tags", settings.maxEventTags());
            json.writeNumberField("max_content_length", settings.maxContentLength());
            json.writeNumberField("min_pow_difficulty", settings.minPowDifficulty());
            json.writeNumberField("created_at_upper_limit", settings.createdAtUpperLimit());
            json.writeBooleanField("auth_required", false);
            json.writeBooleanField("payment_required", false);
            json.writeBooleanField("restricted_writes", false);
            json.writeEndObject();
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toString();
    }

    private static void optional(JsonGenerator json, String field, String value) throws IOException {
        if (!value.isEmpty()) {
            json.writeStringField(field, value);
        }
    }
}
