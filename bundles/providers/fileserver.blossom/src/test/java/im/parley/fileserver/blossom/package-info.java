@org.jspecify.annotations.NullMarked
package im.parley.fileserver.blossom;
