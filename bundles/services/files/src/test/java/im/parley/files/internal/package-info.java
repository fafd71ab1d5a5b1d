@org.jspecify.annotations.NullMarked
package im.parley.files.internal;
