/** The slot machinery: host services, contexts, configured slots. */
@org.jspecify.annotations.NullMarked
package im.parley.slot.internal;
