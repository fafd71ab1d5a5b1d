/** What strangers send, fuzzed: whatever the bytes are, the answer is a result or the one exception that is documented. */
@org.jspecify.annotations.NullMarked
package im.parley.fuzz;
