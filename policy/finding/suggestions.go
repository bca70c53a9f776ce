package finding

// Tested by finding_test.go.

import "iter"

// Limits of what is compared for the unknown names of a set: a hostile file can hold millions, and millions of known ones.
const (
	maxSuggestions = 1000    // names
	maxCompared    = 100_000 // pairs of an unknown name and a known one
)

// Suggestions finds which known names mistyped ones were meant to be, as [Nearest] does, and asks for each name once. It
// stops asking after 1,000 names or 100,000 comparisons. The zero value is ready for use, by one goroutine at a time.
type Suggestions struct {
	known    map[string]string // by key
	compared int
}

// Nearest returns which of n known names is nearest to name, or "" where that is not clear or would cost too much. Names
// of different kinds have different keys.
func (s *Suggestions) Nearest(key, name string, n int, known iter.Seq[string]) string {
	near, found := s.known[key]
	if !found && len(s.known) < maxSuggestions && n <= maxNearest && s.compared+n <= maxCompared {
		s.compared += n
		near = Nearest(name, known)
		if s.known == nil {
			s.known = map[string]string{}
		}
		s.known[key] = near
	}
	return near
}
