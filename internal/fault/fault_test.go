package fault

import (
	"strings"
	"testing"
)

func caught(work func()) (f *Fault) {
	defer func() { f = Of(recover()) }()
	work()
	return nil
}

func theFaultyFunction() { panic("fault") }

func TestOf(t *testing.T) {
	if f := caught(func() {}); f != nil {
		t.Errorf("no panic is %v", f)
	}
	f := caught(theFaultyFunction)
	if f == nil || f.Value != "fault" {
		t.Fatalf("it is %v", f)
	}
	if text := f.String(); !strings.HasPrefix(text, "fault\n") || !strings.Contains(text, "theFaultyFunction") {
		t.Errorf("it says %s", text)
	}
	if again := caught(func() { panic(f) }); again != f {
		t.Errorf("passed on, it is %v", again)
	}
}
