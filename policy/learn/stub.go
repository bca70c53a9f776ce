package learn

import corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
import "github.com/corsproc/corsproc/policy"
import "io"

func (l *Learner) tests(out *Learned) *corsprocv1.PolicyTests { return nil }

func (out *Learned) TestFile() []byte { return nil }

func (l *Learner) Report() (*corsprocv1.Breakage, []*corsprocv1.Finding) { return &corsprocv1.Breakage{}, nil }

func WriteBreakage(w io.Writer, b *corsprocv1.Breakage, interrupted bool) error { return nil }

type report struct{}

func newReport() *report { return &report{} }
func (r *report) take(l *Learner, x *exchange, q *policy.Request, isCORS bool) {}
