/** How effects are queued, performed and accounted for. */
@org.jspecify.annotations.NullMarked
package im.parley.outbox.internal;
