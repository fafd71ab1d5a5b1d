/**
 * Backup directories. {@code docs/backup.md} describes the format so that others can read it; a change here is a change
 * there.
 */
@org.jspecify.annotations.NullMarked
package im.parley.backup.internal;
