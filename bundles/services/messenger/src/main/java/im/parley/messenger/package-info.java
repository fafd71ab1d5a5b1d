/** What a person sees: accounts, contacts, conversations and messages of one circle. */
@org.osgi.annotation.bundle.Export
@org.osgi.annotation.versioning.Version("0.1.0")
@org.jspecify.annotations.NullMarked
package im.parley.messenger;
