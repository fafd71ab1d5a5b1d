/** What the build runs once to seal a distribution: it is no part of a running node. */
@org.jspecify.annotations.NullMarked
package im.parley.launcher.assemble;
