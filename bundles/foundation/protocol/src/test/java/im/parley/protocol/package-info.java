/** Tests of the grammar; cases of the security plan are named by their id. */
@org.jspecify.annotations.NullMarked
package im.parley.protocol;
