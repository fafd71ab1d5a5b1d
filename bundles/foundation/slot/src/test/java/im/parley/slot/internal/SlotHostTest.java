package im.parley.slot.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class SlotHostTest {
    @Test
    void anUpgradedInstanceHasTheDirectoryOfItsOwnComponentAndOfNoOther() {
        assertEquals("x.store~main", SlotHost.directoryName("x.store~main-2.0.0", "x.store~main"));
        assertEquals("x.store~main", SlotHost.directoryName("x.store~main", null));
        for (Object other : new Object[] {
            "y.store~main",
            "x.store.other~main",
            "x.store~/../../y.store~main",
            "x.store~a\\b",
            "",
            "x.stor",
            7L,
            new String[] {"x.store~main"}
        }) {
            assertEquals("x.store~main-2.0.0", SlotHost.directoryName("x.store~main-2.0.0", other), other.toString());
        }
        assertEquals("x.store", SlotHost.directoryName("x.store", "x.store~main"), "only instances have successors");
    }
}
