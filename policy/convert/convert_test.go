package convert

import (
	"errors"
	"strings"
	"testing"
)

// TestConvertRefuses holds what is no input at all.
func TestConvertRefuses(t *testing.T) {
	var input *InputError
	if _, err := Convert("nginx", nil); !errors.As(err, &input) || !strings.Contains(err.Error(), `"nginx" is no kind of source; known are envoy`) {
		t.Errorf("an unknown kind: %v", err)
	}
	large := make([]byte, MaxBytes/2+1)
	if _, err := Convert("envoy", []Source{{Name: "a", Data: large}, {Name: "b", Data: large}}); !errors.As(err, &input) || input.File != "b" {
		t.Errorf("too much: %v", err)
	}
}
