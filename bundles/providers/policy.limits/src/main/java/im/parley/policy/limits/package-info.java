/** How much one address may send to the relay and ask of it, and which kinds of events the relay does not take. */
@org.jspecify.annotations.NullMarked
package im.parley.policy.limits;
