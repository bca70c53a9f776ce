package server

import (
	"runtime"
	"testing"
)

func TestWhileServing(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	during := 0
	whileServing(func() { during = runtime.GOMAXPROCS(0) })
	if during <= before {
		t.Errorf("%d Ps while something else works, of %d", during, before)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d Ps afterwards, of %d", after, before)
	}
}
