package im.parley.fileserver.blossom;

import im.parley.api.blobs.FileServer;
import im.parley.api.identity.Signer;
import im.parley.tck.blobs.FileServerContract;
import java.net.URI;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;

/** The contract at a server that takes blobs whole, at one that takes pieces, and at one that does nothing it need not. */
class BlossomTckTest {
    abstract static class AtAStub extends FileServerContract {
        final StubServer stub;
        private final FakeContext context = new FakeContext();
        private final BlossomFileServer blossom;

        AtAStub() {
            try {
                stub = new StubServer();
                context.named.add(stub.port());
                blossom = new BlossomFileServer(
                        context,
                        new BlossomProvider.Settings(1 << 20, Duration.ofSeconds(20)),
                        Tls.systemTrust(context.random()));
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }

        @AfterEach
        void close() throws Exception {
            blossom.close();
            stub.close();
        }

        @Override
        protected FileServer fileServer() {
            return blossom;
        }

        @Override
        protected URI server() {
            return stub.url();
        }

        @Override
        protected Signer signer() {
            return context;
        }
    }

    @Nested
    class Whole extends AtAStub {}

    @Nested
    class InPieces extends AtAStub {
        InPieces() {
            stub.pieces = true;
        }
    }

    @Nested
    class WithoutRanges extends AtAStub {
        WithoutRanges() {
            stub.ranges = false;
        }
    }
}
