package im.parley.files.http.internal;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** What an operator may set. */
@ObjectClassDefinition(
        id = FilesConfiguration.PID,
        name = "File server",
        description = "The file server of this node: which addresses it answers to, who may upload, and how much.")
@interface FilesConfiguration {
    String PID = "im.parley.files.http";

    @AttributeDefinition(
            name = "Addresses",
            description = "The http or https URLs under which clients reach this server, for example"
                    + " https://files.example.org. The first one is told to those who came by another way. A token that"
                    + " names servers has to name the host of one of them.")
    String[] urls();

    @AttributeDefinition(
            name = "Who may upload",
            description = "Public keys, as npub or 64 hex digits. At first nobody. A single * lets everybody upload.")
    String[] allowed() default {};

    @AttributeDefinition(name = "Largest blob", description = "MiB, 1 to 1048576.")
    int maxBlobMiB() default 100;

    @AttributeDefinition(name = "Space of a key", description = "MiB of all blobs that one key owns, 1 to 1073741824.")
    int quotaMiB() default 1_024;

    @AttributeDefinition(name = "Blobs of a key", description = "How many blobs one key may own, 1 to 10000000.")
    int quotaBlobs() default 10_000;

    @AttributeDefinition(
            name = "Space of all",
            description = "MiB of all blobs together, 1 to 1073741824; 0 is as much as the disk has room for.")
    int totalMiB() default 0;

    @AttributeDefinition(
            name = "Uploads of an address",
            description =
                    "MiB that one address may send in an hour, 1 to 1048576; as much may come at once. Addresses of"
                            + " this machine are not counted: a proxy stands there for many.")
    int addressMiBPerHour() default 4_096;

    @AttributeDefinition(
            name = "Requests of an address",
            description = "How many requests other than downloads one address may send in a minute, 1 to 1000000.")
    int addressRequestsPerMinute() default 600;

    @AttributeDefinition(
            name = "Longest token",
            description = "Hours ahead of now that the expiration of a token may lie, 1 to 8760.")
    int tokenHours() default 24;

    @AttributeDefinition(
            name = "Pause of an upload in pieces",
            description = "Hours without another piece after which what came of it is removed, 1 to 720.")
    int partialHours() default 24;

    @AttributeDefinition(
            name = "Uploads in pieces of a key",
            description = "How many of them one key may have at once, 1 to 100. They count to what it may own.")
    int partialsPerKey() default 8;

    @AttributeDefinition(
            name = "Reading through",
            description = "Days in which every blob is read once to find damage, 1 to 3650; 0 is never.")
    int scrubDays() default 30;

    @AttributeDefinition(
            name = "Tokens for this server only",
            description =
                    "Whether a token has to name this server. Most clients do not; without it a token that another"
                            + " server has seen is good here too, until it expires.")
    boolean serverTagRequired() default false;
}
