package convert

// Tested by builder_test.go and golden_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxBytes is the most that all sources may hold together.
const MaxBytes = 64 << 20

// kind is a source system.
type kind struct {
	name string
	// read tells b what the sources say, which are sorted by name. It returns an *InputError.
	read func(b *builder, sources []Source) error
}

// kinds are all that there are, as `corsproc import` calls them.
var kinds = []kind{
	{"envoy", readEnvoy},
	{"istio", readIstio},
	{"gateway-api", readGatewayAPI},
	{"envoy-gateway", readEnvoyGateway},
	{"ingress-nginx", readIngressNginx},
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
		b := newBuilder(kind)
		if err := k.read(b, sources); err != nil {
			return nil, err
		}
		return b.finish()
	}
	return nil, &InputError{Message: fmt.Sprintf("%q is no kind of source; known are %s", kind, strings.Join(Kinds(), ", "))}
}
