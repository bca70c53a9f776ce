package finding

// Tested by finding_test.go.

// A Location is where in the sources of a set something stands. Locations are comparable and may be keys of maps.
type Location struct {
	Source string // the name of the source
	Path   Path   // the value in it
	Key    bool   // the key at Path is meant, not its value (a policy's name, an unknown key)
}

// Field returns the location of a field of the value at l. The name is a field's, not what a file says: it is not
// looked at (see [Path.Name]).
func (l Location) Field(name string) Location { l.Path += "\x00" + Path(name); return l }

// Index returns the location of element i of the list at l.
func (l Location) Index(i int) Location { l.Path = l.Path.Index(i); return l }
