/** What the methods of the schema do; a group is there if the services it speaks for are. */
@org.jspecify.annotations.NullMarked
package im.parley.control.methods;
