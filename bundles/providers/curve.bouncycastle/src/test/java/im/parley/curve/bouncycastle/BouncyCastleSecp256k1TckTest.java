package im.parley.curve.bouncycastle;

import im.parley.api.curve.Secp256k1;
import im.parley.tck.curve.Secp256k1Contract;

class BouncyCastleSecp256k1TckTest extends Secp256k1Contract {
    private final Secp256k1 curve = new BouncyCastleSecp256k1();

    @Override
    protected Secp256k1 curve() {
        return curve;
    }
}
