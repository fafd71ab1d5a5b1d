/** Accounts, look-ups, intake and records of a circle. */
@org.jspecify.annotations.NullMarked
package im.parley.messenger.internal;
