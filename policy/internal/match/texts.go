package match

// Tested by policy/reach_test.go.

import "iter"

// Texts yields the patterns of the list as they were written, without "*" and "null".
func (s *Origins) Texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := s.from; at < s.to; {
			r := s.index.record(at)
			at += r.size()
			kind := int(r.Space >> 60)
			if kind != spaceScheme && !yield(s.index.written(kind, uint32(r.Space&(1<<30-1)), string(r.Text))) {
				return
			}
		}
	}
}
