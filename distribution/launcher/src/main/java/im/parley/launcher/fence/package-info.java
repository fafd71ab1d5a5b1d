/**
 * The fence around plugins inside one Java process: which services they see and offer, what they may bind to, who may
 * install and how long they may take to start. It stops mistakes and makes attempts seen; it does not stop hostile code,
 * which only a process of its own does.
 */
@org.jspecify.annotations.NullMarked
package im.parley.launcher.fence;
