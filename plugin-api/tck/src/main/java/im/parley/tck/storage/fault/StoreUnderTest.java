package im.parley.tck.storage.fault;

import im.parley.api.storage.EventStore;
import im.parley.api.storage.RecordStore;
import java.nio.file.Path;
import java.util.List;

/**
 * How the fault tests get at a provider's stores. Implement it in the provider's tests, with a public constructor without
 * parameters: the processes under test make their own.
 */
public interface StoreUnderTest {
    /**
     * Opens, or creates, a store of events and one of records under an existing folder. All that they keep, keys too, lies
     * there. Called again with the same folder in another process, or after {@link Stores#close}.
     *
     * @throws im.parley.api.lifecycle.ProviderException as the provider's own {@code open}
     */
    Stores open(Path home) throws Exception;

    /** The files whose damage the tests look into; asked of a folder that was opened before. */
    List<Path> files(Path home) throws Exception;

    /** The ways in which writing can fail; asked of a folder that was opened before. */
    List<WriteFault> writeFaults(Path home) throws Exception;

    /** Two open stores. */
    interface Stores extends AutoCloseable {
        EventStore events();

        RecordStore records();
    }

    /**
     * System calls that shall fail.
     *
     * @param name what fails, for the report
     * @param files those that the calls are about, present or not; empty for calls that are about no file
     * @param calls their names
     * @param ends whether the store cannot acknowledge anything once this fails
     */
    record WriteFault(String name, List<Path> files, List<String> calls, boolean ends) {}
}
