/** The guard behind the egress: what a host means, which addresses are special, and the log. */
@org.jspecify.annotations.NullMarked
package im.parley.egress.internal;
