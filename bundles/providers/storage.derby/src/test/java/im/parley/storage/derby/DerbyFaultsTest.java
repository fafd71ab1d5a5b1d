package im.parley.storage.derby;

import im.parley.tck.storage.fault.StoreFaultContract;
import im.parley.tck.storage.fault.StoreUnderTest;

class DerbyFaultsTest extends StoreFaultContract {
    @Override
    protected Class<? extends StoreUnderTest> store() {
        return DerbyUnderTest.class;
    }
}
