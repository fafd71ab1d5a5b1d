/** The relay: sessions that answer NIP-01 and NIP-42, the read guard, one committing writer and live delivery. */
@org.jspecify.annotations.NullMarked
package im.parley.relay.internal;
