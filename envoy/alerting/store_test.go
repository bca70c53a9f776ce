package alerting

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// store is a storage of samples in memory, enough for the query engine.
type store struct {
	series []*series
}

type series struct {
	labels  labels.Labels
	samples []chunks.Sample
}

type sample struct {
	at    int64 // milliseconds
	value float64
}

func (s sample) ST() int64                     { return 0 }
func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// load adds a series in the notation of Prometheus' tests, with a value every interval.
func (s *store) load(p parser.Parser, notation, values string, interval time.Duration) error {
	l, sequence, err := p.ParseSeriesDesc(notation + " " + values)
	if err != nil {
		return err
	}
	for i, v := range sequence {
		if !v.Omitted {
			s.add(l, time.UnixMilli(0).Add(time.Duration(i)*interval), v.Value)
		}
	}
	return nil
}

func (s *store) add(l labels.Labels, at time.Time, v float64) {
	i := slices.IndexFunc(s.series, func(known *series) bool { return labels.Equal(known.labels, l) })
	if i < 0 {
		i = len(s.series)
		s.series = append(s.series, &series{labels: l})
	}
	s.series[i].samples = append(s.series[i].samples, sample{at.UnixMilli(), v})
}

// stale says that a series is not there from then on.
func (s *store) stale(l labels.Labels, at time.Time) {
	s.add(l, at, math.Float64frombits(value.StaleNaN))
}

// Querier implements storage.Queryable.
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	return querier{s, mint, maxt}, nil
}

type querier struct {
	store      *store
	mint, maxt int64
}

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &selected{}
	for _, s := range q.store.series {
		if !matches(s.labels, matchers) {
			continue
		}
		var within []chunks.Sample
		for _, v := range s.samples {
			if q.mint <= v.T() && v.T() <= q.maxt {
				within = append(within, v)
			}
		}
		set.all = append(set.all, storage.NewListSeries(s.labels, within))
	}
	slices.SortFunc(set.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) })
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) Close() error { return nil }

type selected struct {
	all  []storage.Series
	next int
}

func (s *selected) Next() bool                        { s.next++; return s.next <= len(s.all) }
func (s *selected) At() storage.Series                { return s.all[s.next-1] }
func (s *selected) Err() error                        { return nil }
func (s *selected) Warnings() annotations.Annotations { return nil }
