package policy

// MaxOriginBytes is the length in bytes of the longest Origin that is well-formed. Whoever keeps or shows one needs no more.
const MaxOriginBytes = maxOriginLen
