package convert

// Tested by convert_test.go and golden_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/envoy"
	"github.com/corsproc/corsproc/policy/convert/internal/gateway"
	"github.com/corsproc/corsproc/policy/convert/internal/istio"
	"github.com/corsproc/corsproc/policy/convert/internal/nginx"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// What goes in and what comes out. The rooms below share these types; they are documented there.
type (
	// A Source is a file of the source system: its Name, as the user calls it, and its Data.
	Source = source.Source
	// A Position is where something stands in a source: File, Line and Column, from 1, in characters.
	Position = source.Position
	// An InputError is a source that cannot be read, or is invalid: nothing is made of it.
	InputError = source.InputError
	// Result is what became of sources: the policy file (File), and what is lost or tightened (Warnings), sorted by place.
	Result = build.Result
	// A Warning is something that is lost or tightened: a Position, a Field, a stable Code, and a Message.
	Warning = build.Warning
)

// MaxBytes is the most that all sources may hold together.
const MaxBytes = 64 << 20

// kind is a source system.
type kind struct {
	name string
	// read tells b what the sources say, which are sorted by name. It returns an *InputError.
	read func(b *build.Builder, sources []Source) error
}

// kinds are all that there are, as `corsproc import` calls them.
var kinds = []kind{
	{"envoy", envoy.Read},
	{"istio", istio.Read},
	{"gateway-api", gateway.ReadAPI},
	{"envoy-gateway", gateway.ReadEnvoyGateway},
	{"ingress-nginx", nginx.Read},
}

// Kinds returns the names of the systems that Convert knows.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// Convert makes one policy file of sources of a kind. Their order makes no difference. An *InputError says which of them
// cannot be used and why, also where none of them has an object of the kind.
func Convert(kind string, sources []Source) (*Result, error) {
	size := 0
	for _, s := range sources {
		if size += len(s.Data); size > MaxBytes {
			return nil, &InputError{File: s.Name, Message: fmt.Sprintf("the files are larger than %d MiB together: convert them in parts", MaxBytes>>20)}
		}
	}
	sources = slices.Clone(sources)
	slices.SortStableFunc(sources, func(a, b Source) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.Data), string(b.Data)))
	})
	for _, k := range kinds {
		if k.name != kind {
			continue
		}
		b := build.New(kind)
		if err := k.read(b, sources); err != nil {
			return nil, err
		}
		return b.Finish()
	}
	return nil, &InputError{Message: fmt.Sprintf("%q is no kind of source; known are %s", kind, strings.Join(Kinds(), ", "))}
}
