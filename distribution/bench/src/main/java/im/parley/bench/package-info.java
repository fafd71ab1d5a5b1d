/** Measurements behind the figures of the handbook: CPU time per unit of work, as ratios within one run. */
@org.jspecify.annotations.NullMarked
package im.parley.bench;
