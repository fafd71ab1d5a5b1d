/** How gift wraps are made and opened. */
@org.jspecify.annotations.NullMarked
package im.parley.envelope.internal;
