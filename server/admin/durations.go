package admin

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// durations is a histogram of durations, classic and native at once. prometheus.Histogram is both too. But it finds native
// buckets in a sync.Map, which allocates for every observation below a second, and its sum is a loop of compare and swap.
//
// The cells have the bounds of both histograms. So an observation is an addition to one cell, and both histograms are sums
// of cells. Neither can disagree with the count; Prometheus throws away a scrape whose native histogram does.
type durations struct {
	desc    *prometheus.Desc
	created *timestamppb.Timestamp

	cells     [cellCount]atomic.Uint64
	sum       atomic.Uint64 // nanoseconds
	exemplars [len(durationBuckets) + 1]atomic.Pointer[dto.Exemplar]
}

// durationBuckets are the bounds of the classic histogram: from the time of a simple decision to one millisecond, which no
// decision should take.
var durationBuckets = [...]time.Duration{50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000}

const (
	// nativeSchema says that four buckets of the native histogram double a duration: each is 19 % wide.
	nativeSchema = 2
	perOctave    = 1 << nativeSchema
	// The native buckets, by the index that Prometheus gives them: bucket i ends with 2^(i/4) seconds. The first ends
	// with a nanosecond, the last with 17 minutes; a longer decision, which a stopped process may make, counts as that.
	firstNative = -119
	lastNative  = 40
	nativeCount = lastNative - firstNative + 1
	cellCount   = nativeCount + len(durationBuckets)
)

// cell is one of the cells: it holds what is above the cell before, up to most.
type cell struct {
	most    time.Duration
	classic int // the bucket that it is in, len(durationBuckets) for the one without a bound
	native  int // likewise, counted from firstNative
}

var (
	cellsInOrder = makeCells()
	// firstCell is the first cell that can hold a duration of so many bits.
	firstCell = makeFirstCells()
)

func makeCells() (cells [cellCount]cell) {
	i := 0
	for n := range nativeCount {
		// Durations are whole nanoseconds, and so are bounds, rounded down.
		cells[i] = cell{most: time.Duration(math.Exp2(float64(firstNative+n)/perOctave) * 1e9)}
		i++
	}
	for _, bound := range durationBuckets {
		cells[i] = cell{most: bound}
		i++
	}
	slices.SortFunc(cells[:], func(a, b cell) int { return int(a.most - b.most) })
	for i := range cells {
		c := &cells[i]
		c.classic, _ = slices.BinarySearch(durationBuckets[:], c.most)
		c.native = nativeCount - 1
		for n := range nativeCount {
			if c.most <= time.Duration(math.Exp2(float64(firstNative+n)/perOctave)*1e9) {
				c.native = n
				break
			}
		}
	}
	return cells
}

func makeFirstCells() (first [65]uint8) {
	for n := range first {
		least := time.Duration(0)
		if n > 0 {
			least = 1 << (n - 1)
		}
		first[n] = uint8(cellOf(least, 0))
	}
	return first
}

// cellOf returns the cell of a duration, looking from one that is not above it.
func cellOf(d time.Duration, from int) int {
	for from < cellCount-1 && cellsInOrder[from].most < d {
		from++
	}
	return from
}

func newDurations(name, help string, created time.Time) *durations {
	return &durations{desc: prometheus.NewDesc(name, help, nil, nil), created: timestamppb.New(created)}
}

// observe counts a duration. It takes no lock and allocates nothing.
func (h *durations) observe(d time.Duration) {
	d = max(d, 0)
	h.cells[cellOf(d, int(firstCell[bits.Len64(uint64(d))]))].Add(1)
	h.sum.Add(uint64(d))
}

// exemplarAge is how long an exemplar stays before another of its bucket may replace it. Nobody scrapes more often.
const exemplarAge = time.Second

// exemplify keeps the trace of an observation as the example of its bucket, unless the bucket has a fresh one.
func (h *durations) exemplify(d time.Duration, now time.Time, traceID, spanID string) {
	c := cellsInOrder[cellOf(max(d, 0), 0)]
	exemplar := &h.exemplars[c.classic]
	old := exemplar.Load()
	if old != nil && now.Sub(old.GetTimestamp().AsTime()) < exemplarAge {
		return
	}
	exemplar.CompareAndSwap(old, &dto.Exemplar{
		Label: []*dto.LabelPair{
			{Name: proto.String("span_id"), Value: &spanID},
			{Name: proto.String("trace_id"), Value: &traceID},
		},
		Value:     proto.Float64(d.Seconds()),
		Timestamp: timestamppb.New(now),
	})
}

// Describe implements prometheus.Collector.
func (h *durations) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

// Collect implements prometheus.Collector.
func (h *durations) Collect(ch chan<- prometheus.Metric) { ch <- h }

// Desc implements prometheus.Metric.
func (h *durations) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric.
func (h *durations) Write(m *dto.Metric) error {
	var classic [len(durationBuckets) + 1]uint64
	var native [nativeCount]uint64
	var count uint64
	for i := range h.cells {
		n := h.cells[i].Load()
		count += n
		classic[cellsInOrder[i].classic] += n
		native[cellsInOrder[i].native] += n
	}
	out := &dto.Histogram{
		SampleCount:      &count,
		SampleSum:        proto.Float64(float64(h.sum.Load()) / 1e9),
		CreatedTimestamp: h.created,
		Schema:           proto.Int32(nativeSchema),
		ZeroThreshold:    proto.Float64(0),
		ZeroCount:        proto.Uint64(0),
	}
	out.PositiveSpan, out.PositiveDelta = spans(&native)
	h.addClassic(out, &classic)
	m.Histogram = out
	return nil
}

func (h *durations) addClassic(out *dto.Histogram, classic *[len(durationBuckets) + 1]uint64) {
	var below uint64
	for i, n := range classic {
		below += n
		bound := math.Inf(1)
		if i < len(durationBuckets) {
			bound = durationBuckets[i].Seconds()
		}
		e := h.exemplars[i].Load()
		if e != nil {
			out.Exemplars = append(out.Exemplars, e)
		}
		if i == len(durationBuckets) && e == nil {
			break // the bucket without a bound goes without saying
		}
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: proto.Uint64(below), Exemplar: e})
	}
}

// spans encodes the buckets that are not empty: runs of neighbours, each count as the difference to the one before.
func spans(native *[nativeCount]uint64) (spans []*dto.BucketSpan, deltas []int64) {
	end, before := 0, int64(0) // of the run before, as Prometheus counts: bucket 0 ends with one second
	for i, n := range native {
		if n == 0 {
			continue
		}
		if at := firstNative + i; spans == nil || at > end {
			spans = append(spans, &dto.BucketSpan{Offset: proto.Int32(int32(at - end)), Length: proto.Uint32(0)})
			end = at
		}
		*spans[len(spans)-1].Length++
		end++
		deltas = append(deltas, int64(n)-before)
		before = int64(n)
	}
	if spans == nil {
		// Otherwise nothing would tell a native histogram without observations from a classic one.
		spans = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	return spans, deltas
}
