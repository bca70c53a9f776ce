package draft

import (
	"google.golang.org/protobuf/proto"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A File is a policy file with comments. The zero value with a Set can be printed.
type File struct {
	Set *corsprocv1.PolicySet
	// Head stands above everything else, each text on lines of its own.
	Head []string
	// Order names policies in the order in which they are written. Those that it does not name follow, sorted.
	Order []string

	comments map[Place]*comment
}

// A Place is what a comment is about: a message of the set, a field of one, or an entry of a field.
type Place struct {
	message proto.Message // of the set, by identity
	field   string        // its name in the file; empty: the message itself
	entry   int           // from 0; -1: the field itself
}

// At is the place of a policy, an origin set, a virtual host, a route, the default place or the set itself. m is the
// message that the set holds, not one that is equal to it.
func At(m proto.Message) Place { return Place{m, "", -1} }

// Field is the place of a field, by its name in the file, inside the place of a message. A field that is not set is not
// written, and neither are its comments.
func (p Place) Field(name string) Place { return Place{p.message, name, -1} }

// Entry is the place of an entry of a list of texts, from 0, inside the place of the list. The entries of a list with
// comments stand on lines of their own.
func (p Place) Entry(i int) Place { return Place{p.message, p.field, i} }

// A comment is what is said at a place.
type comment struct {
	before []string // above it
	beside string   // behind it on its line
	after  []string // below all of it
}

// maxTexts is how many texts stand above or below a place. A reader of more would not find the place any more.
const maxTexts = 100

// Before adds texts above a place, each on lines of its own, below those that stand there. Lines are broken between
// words; a text of more than a thousand characters is cut, and so is what is beyond a hundred texts.
func (f *File) Before(at Place, texts ...string) {
	c := f.commentAt(at)
	c.before = append(c.before, texts...)
}

// Beside sets the text that stands behind the first line of a place.
func (f *File) Beside(at Place, text string) { f.commentAt(at).beside = text }

// After adds texts below all of a place, as Before does above it.
func (f *File) After(at Place, texts ...string) {
	c := f.commentAt(at)
	c.after = append(c.after, texts...)
}

func (f *File) commentAt(at Place) *comment {
	if f.comments == nil {
		f.comments = map[Place]*comment{}
	}
	c := f.comments[at]
	if c == nil {
		c = &comment{}
		f.comments[at] = c
	}
	return c
}
