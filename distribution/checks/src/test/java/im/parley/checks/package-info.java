/** The laws of the house, held by test over the compiled classes and manifests of every module. */
@org.jspecify.annotations.NullMarked
package im.parley.checks;
