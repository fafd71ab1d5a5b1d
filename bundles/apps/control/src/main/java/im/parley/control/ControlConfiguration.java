package im.parley.control;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Configuration of the control app; the launcher fills it in. */
@ObjectClassDefinition(name = "Control", description = "The socket through which the user commands this node.")
public @interface ControlConfiguration {
    @AttributeDefinition(description = "Absolute path of the socket, at most 100 bytes, in a directory of mode 0700.")
    String socket();

    @AttributeDefinition(description = "Data directory of the node, shown to the user.")
    String dataDir() default "";

    @AttributeDefinition(description = "Version of the distribution, shown to the user.")
    String version() default "";

    @AttributeDefinition(description = "Number of the stack generation that runs.")
    long generation() default 0;

    @AttributeDefinition(description = "Names of the features that run, separated by commas.")
    String features() default "";

    @AttributeDefinition(
            description =
                    "What has to be there before the node is ready: filters over the service registry, each of which"
                            + " must match a service. Slots that match must be filled.")
    String[] ready() default {};

    @AttributeDefinition(
            description =
                    "Slots that plugins fill: while one of them is empty the node starts all the same, so that somebody"
                            + " can mend it.")
    String[] tolerated() default {};
}
