package policyfile

import (
	"context"
	"time"
)

// Watch loads the path whenever it changes, until ctx is done.
func (l *Loader) Watch(ctx context.Context, interval time.Duration, onAttempt func(Attempt)) error {
	panic("todo")
}
