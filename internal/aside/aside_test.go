package aside

import (
	"testing"

	"github.com/corsproc/corsproc/internal/fault"
)

func TestDo(t *testing.T) {
	done := false
	Do(func() { done = true })
	if !done {
		t.Error("the work is not done")
	}
	defer func() {
		if met := fault.Of(recover()); met == nil || met.Value != "fault" {
			t.Errorf("recovered %v", met)
		}
	}()
	Do(func() { panic("fault") })
	t.Error("a fault is lost")
}
