/** Answers what clients ask. */
@org.jspecify.annotations.NullMarked
package im.parley.bunker.internal;
