/**
 * What a store must survive: killed processes, power cuts, full and failing disks, damaged files. The store under test
 * runs in a process of its own, because some of these faults end it.
 */
@org.jspecify.annotations.NullMarked
package im.parley.tck.storage.fault;
