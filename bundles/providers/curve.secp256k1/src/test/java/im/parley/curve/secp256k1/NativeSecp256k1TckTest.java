package im.parley.curve.secp256k1;

import im.parley.api.curve.Secp256k1;
import im.parley.tck.curve.Secp256k1Contract;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NativeSecp256k1TckTest extends Secp256k1Contract {
    private Secp256k1 curve;

    @BeforeAll
    void open(@TempDir Path directory) throws Exception {
        curve = new NativeCurve().open(new FakeContext(directory));
    }

    @Override
    protected Secp256k1 curve() {
        return curve;
    }
}
