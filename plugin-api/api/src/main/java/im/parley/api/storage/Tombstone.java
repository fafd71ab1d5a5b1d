package im.parley.api.storage;

import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;

/**
 * The mark that an author had an event deleted. Works only against events of the same author.
 *
 * @param target the event that shall not return
 * @param author whose event it is; an event of another author with that id is not touched
 */
public record Tombstone(EventId target, PublicKey author) {}
