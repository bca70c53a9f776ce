package learn

// Limits of what is read and kept. A log holds what clients sent: whatever is beyond them is counted and said.
const (
	// MaxLineBytes is the length of the longest line that is looked at.
	MaxLineBytes = 1 << 20
	// MaxPlaces is how many places are kept, the first that come.
	MaxPlaces = 10_000
	// MaxPlaceOrigins and MaxOrigins are how many origins are kept of a place, and in all.
	MaxPlaceOrigins = 10_000
	MaxOrigins      = 100_000
	// MaxNames is how many methods and names of headers are kept of a place.
	MaxNames = 1_000
	// MaxRoutes is how many routes a place may be split into.
	MaxRoutes = 1_000
	// MaxTests is how many tests are written.
	MaxTests = 10_000

	maxValueBytes  = 326       // of a value that is kept: no origin is longer
	maxDomains     = 20        // of a place
	maxNotJSON     = 10        // lines that are no JSON and are named
	maxKeys        = 10        // of a log without origins, named
	maxWithheld    = 20        // origins that are withheld, named
	maxAllNames    = 100_000   // names in all places
	maxAnswers     = 300_000   // origins in all routes of all places
	maxAnswerNames = 3_000_000 // names that all of these asked for or were granted
	maxAnswerText  = 48 << 20  // bytes of these: a policy file may have 64 MiB
	maxSegments    = 100_000   // first path segments in all places, for missing-vary
	maxPaths       = 500_000   // origins with paths, for grants-differ
	maxEntries     = 50_000    // entries of a report
	maxEntryText   = 24 << 20  // bytes that these keep of a log
	maxRequestText = 4 << 10   // bytes of a request that shows one, so that a change can be told
	maxChanges     = 10_000    // of these, the most counted, with a change
)
