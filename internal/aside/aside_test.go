package aside

import "testing"

func TestDo(t *testing.T) {
	done := false
	Do(func() { done = true })
	if !done {
		t.Error("the work is not done")
	}
	defer func() {
		if r := recover(); r != "fault" {
			t.Errorf("recovered %v", r)
		}
	}()
	Do(func() { panic("fault") })
	t.Error("a fault is lost")
}
