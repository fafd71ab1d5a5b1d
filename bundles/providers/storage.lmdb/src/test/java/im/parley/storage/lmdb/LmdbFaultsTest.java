package im.parley.storage.lmdb;

import im.parley.tck.storage.fault.StoreFaultContract;
import im.parley.tck.storage.fault.StoreUnderTest;

class LmdbFaultsTest extends StoreFaultContract {
    @Override
    protected Class<? extends StoreUnderTest> store() {
        return LmdbUnderTest.class;
    }
}
