package admin

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// observed returns random durations of every magnitude, and every bound with its neighbours.
func observed() (all []time.Duration) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		all = append(all, time.Duration(math.Exp2(random.Float64()*39)))
	}
	for _, b := range durationBuckets {
		all = append(all, b-1, b, b+1)
	}
	return append(all, 0, 1, 2, 3, time.Millisecond, time.Second, time.Second+1)
}

func written(t *testing.T, m prometheus.Metric) *dto.Histogram {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetHistogram()
}

// nativeBuckets decodes the native histogram.
func nativeBuckets(h *dto.Histogram) map[int]int64 {
	buckets := map[int]int64{}
	at, next, count := 0, 0, int64(0)
	for _, s := range h.GetPositiveSpan() {
		at += int(s.GetOffset())
		for range s.GetLength() {
			count += h.GetPositiveDelta()[next]
			buckets[at] = count
			at++
			next++
		}
	}
	return buckets
}

// TestDurations holds the histogram against Prometheus' own.
func TestDurations(t *testing.T) {
	h := newDurations("h", "help", time.Now())
	var bounds []float64
	for _, b := range durationBuckets {
		bounds = append(bounds, b.Seconds())
	}
	oracle := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "h", Buckets: bounds, NativeHistogramBucketFactor: 1.2, NativeHistogramZeroThreshold: prometheus.NativeHistogramZeroThresholdZero,
	})
	for _, d := range observed() {
		h.observe(d)
		oracle.Observe(d.Seconds())
	}
	got, want := written(t, h), written(t, oracle)
	if got.GetSampleCount() != want.GetSampleCount() || math.Abs(got.GetSampleSum()-want.GetSampleSum()) > 1e-6 || got.GetSchema() != want.GetSchema() {
		t.Errorf("count, sum, schema: %v %v %v, want %v %v %v", got.GetSampleCount(), got.GetSampleSum(), got.GetSchema(),
			want.GetSampleCount(), want.GetSampleSum(), want.GetSchema())
	}
	for i, b := range want.GetBucket() {
		if g := got.GetBucket()[i]; g.GetUpperBound() != b.GetUpperBound() || g.GetCumulativeCount() != b.GetCumulativeCount() {
			t.Errorf("bucket %d: %v, want %v", i, g, b)
		}
	}
	theirs := nativeBuckets(want)
	theirs[firstNative] += int64(want.GetZeroCount()) // to us a duration that the clock did not see is a nanosecond
	ours := nativeBuckets(got)
	total := int64(0)
	for i := firstNative; i <= lastNative; i++ {
		total += ours[i]
		if ours[i] != theirs[i] {
			t.Errorf("native bucket %d: %d, want %d", i, ours[i], theirs[i])
		}
	}
	if total != int64(got.GetSampleCount()) {
		t.Errorf("the native buckets hold %d of %d", total, got.GetSampleCount())
	}
}

func TestDurationsAtTheEdges(t *testing.T) {
	h := newDurations("h", "help", time.Now())
	empty := written(t, h)
	if s := empty.GetPositiveSpan(); len(s) != 1 || s[0].GetLength() != 0 {
		t.Errorf("without observations the spans are %v, want one of length 0", s)
	}
	h.observe(-time.Second)
	h.observe(math.MaxInt64)
	got := nativeBuckets(written(t, h))
	if len(got) != 2 || got[firstNative] != 1 || got[lastNative] != 1 {
		t.Errorf("buckets %v", got)
	}
}

func TestExemplars(t *testing.T) {
	h := newDurations("h", "help", time.Now())
	now := time.Unix(1000, 0)
	for i, at := range []time.Duration{0, exemplarAge / 2, exemplarAge, exemplarAge + 1} {
		h.exemplify(time.Microsecond, now.Add(at), "trace", strconv.Itoa(i))
	}
	h.exemplify(time.Hour, now, "trace", "late")
	out := written(t, h)
	var kept []string
	for _, b := range out.GetBucket() {
		if e := b.GetExemplar(); e != nil {
			kept = append(kept, e.GetLabel()[0].GetValue())
		}
	}
	if want := []string{"2", "late"}; !slices.Equal(kept, want) {
		t.Errorf("exemplars of spans %v, want %v", kept, want)
	}
	if len(out.GetExemplars()) != 2 {
		t.Errorf("%d exemplars of the native histogram, want 2", len(out.GetExemplars()))
	}
}

func BenchmarkDurations(b *testing.B) {
	h := newDurations("h", "help", time.Now())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.observe(time.Duration(i%5000) * time.Nanosecond)
	}
}
