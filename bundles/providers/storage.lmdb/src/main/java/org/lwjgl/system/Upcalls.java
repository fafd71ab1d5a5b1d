package org.lwjgl.system;

import java.lang.reflect.Method;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.lwjgl.PointerBuffer;
import org.lwjgl.system.jni.JNINativeInterface;
import org.lwjgl.system.libffi.FFIClosure;
import org.lwjgl.system.libffi.LibFFI;

/**
 * Functions for LMDB to call that are methods of Java: made, found and freed for LWJGL's {@link Callback}. Thread-safe.
 *
 * <p>Stands before the class of that name in LWJGL 3.4.3, in this bundle alone. That one registers a shutdown hook with the
 * JVM that is never taken back, and leaves a thread local with who makes a function: the bundle's class loader and its native
 * libraries would stay for ever after each update.
 */
final class Upcalls {
    private static final long HANDLER = handler();

    /** By the address that LMDB calls. */
    private static final Map<Long, FFIClosure> CLOSURES = new ConcurrentHashMap<>();

    private Upcalls() {}

    private static long handler() {
        try {
            return getCallbackHandler(CallbackI.class.getDeclaredMethod("callback", long.class, long.class));
        } catch (NoSuchMethodException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Of LWJGL's library: a function that calls the method on the object that a closure has with it. */
    private static native long getCallbackHandler(Method method);

    static long upcallCreate(Callback.Descriptor descriptor, Object target) {
        PointerBuffer code = MemoryUtil.memAllocPointer(1);
        try {
            FFIClosure closure = LibFFI.ffi_closure_alloc(LibFFI.ffi_get_closure_size(), code);
            if (closure == null) {
                throw new OutOfMemoryError("no memory for a function");
            }
            long address = code.get(0);
            long reference = JNINativeInterface.NewGlobalRef(target);
            int status = LibFFI.ffi_prep_closure_loc(closure, descriptor.cif, HANDLER, reference, address);
            if (status != LibFFI.FFI_OK) {
                JNINativeInterface.DeleteGlobalRef(reference);
                LibFFI.ffi_closure_free(closure);
                throw new IllegalStateException("libffi made no function: " + status);
            }
            CLOSURES.put(address, closure);
            return address;
        } finally {
            MemoryUtil.memFree(code);
        }
    }

    private static FFIClosure known(@Nullable FFIClosure closure, long address) {
        if (closure == null) {
            throw new IllegalArgumentException("no function of Java is at " + address);
        }
        return closure;
    }

    static <T extends CallbackI> T upcallGet(long address) {
        return MemoryUtil.memGlobalRefToObject(
                known(CLOSURES.get(address), address).user_data());
    }

    static void upcallFree(long address) {
        FFIClosure closure = known(CLOSURES.remove(address), address);
        JNINativeInterface.DeleteGlobalRef(closure.user_data());
        LibFFI.ffi_closure_free(closure);
    }
}
