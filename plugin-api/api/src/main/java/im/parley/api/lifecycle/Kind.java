package im.parley.api.lifecycle;

/** How a provider failed, coarse enough for a caller to act on. The stable detail is {@link ProviderException#code()}. */
public enum Kind {
    /** Not reachable now; the same call may succeed later. */
    UNAVAILABLE,
    /** Did not answer in the time given; whether it took effect is unknown. */
    TIMEOUT,
    /** Out of space, memory, connections or quota. */
    EXHAUSTED,
    /** Understood and refused; the same call will be refused again. */
    REJECTED,
    /** What was read back is not what was written. */
    CORRUPT,
    /** Not proven to be allowed. Carries no detail. */
    AUTHENTICATION,
    /** This provider does not do that. */
    UNSUPPORTED,
    /** A bug of the provider. */
    INTERNAL
}
