package im.parley.storage.derby;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where Derby writes what would be {@code derby.log}: to the log of the node, at DEBUG. Public because Derby finds it by
 * name, from {@code derby.stream.error.method}.
 */
public final class DerbyLog {
    /** Value of {@code derby.stream.error.method}. */
    static final String METHOD = DerbyLog.class.getName() + ".stream";

    private static final Logger LOG = LoggerFactory.getLogger(DerbyLog.class);
    private static final int LONGEST_LINE = 4_096;

    private DerbyLog() {}

    /** A new stream that logs line by line. */
    public static OutputStream stream() {
        return new Lines();
    }

    private static final class Lines extends OutputStream {
        private final ByteArrayOutputStream line = new ByteArrayOutputStream(256);

        @Override
        public synchronized void write(int b) {
            if (b == '\n') {
                emit();
            } else if (b != '\r' && line.size() < LONGEST_LINE) {
                line.write(b);
            }
        }

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) {
            for (int i = offset; i < offset + length; i++) {
                write(bytes[i]);
            }
        }

        @Override
        public synchronized void close() {
            emit();
        }

        private void emit() {
            if (line.size() > 0 && LOG.isDebugEnabled()) {
                LOG.debug("{}", line.toString(StandardCharsets.UTF_8));
            }
            line.reset();
        }
    }
}
