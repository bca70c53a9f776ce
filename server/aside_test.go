package server

import (
	"runtime"
	"testing"
)

func TestAside(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	during := 0
	aside(func() { during = runtime.GOMAXPROCS(0) })
	if during <= before {
		t.Errorf("%d Ps while something else works, of %d", during, before)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d Ps afterwards, of %d", after, before)
	}
}
