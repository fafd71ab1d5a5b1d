/** What the tests of every module share, so that seeds, skips and waiting behave the same everywhere. */
@org.jspecify.annotations.NullMarked
package im.parley.testkit;
