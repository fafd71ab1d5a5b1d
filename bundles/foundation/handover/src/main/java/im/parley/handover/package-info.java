/**
 * Moves what a store keeps to another store while both are used: taps on stores, journals of changes, feeds between stores.
 */
@NullMarked
package im.parley.handover;

import org.jspecify.annotations.NullMarked;
