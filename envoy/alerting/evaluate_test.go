package alerting

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
)

var promParser = parser.NewParser(parser.Options{})

// evaluation evaluates groups of rules over a store, minute by minute, as Prometheus does.
type evaluation struct {
	groups   *rulefmt.RuleGroups
	interval time.Duration
	store    *store
	engine   *promql.Engine
	active   map[string]map[uint64]*alert // by rule
	recorded map[string]map[uint64]labels.Labels
}

// alert is an element of an alert's expression.
type alert struct {
	since       time.Time
	firing      bool
	labels      labels.Labels // without alertname
	annotations map[string]string
}

func newEvaluation(groups *rulefmt.RuleGroups, s *store, interval time.Duration) *evaluation {
	return &evaluation{
		groups: groups, interval: interval, store: s,
		engine:   promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: promParser}),
		active:   map[string]map[uint64]*alert{},
		recorded: map[string]map[uint64]labels.Labels{},
	}
}

// at evaluates everything once.
func (e *evaluation) at(now time.Time) error {
	for _, g := range e.groups.Groups {
		for _, r := range g.Rules {
			v, err := e.query(r.Expr, now)
			if err != nil {
				return fmt.Errorf("%s%s: %w", r.Record, r.Alert, err)
			}
			if r.Record != "" {
				e.record(r.Record, v, now)
			} else if err := e.alert(&r, v, now); err != nil {
				return fmt.Errorf("%s: %w", r.Alert, err)
			}
		}
	}
	return nil
}

func (e *evaluation) query(expr string, now time.Time) (promql.Vector, error) {
	q, err := e.engine.NewInstantQuery(context.Background(), e.store, nil, expr, now)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return q.Exec(context.Background()).Vector()
}

func isMetricName(label string) bool { return label == model.MetricNameLabel }

func (e *evaluation) record(name string, v promql.Vector, now time.Time) {
	before := e.recorded[name]
	e.recorded[name] = map[uint64]labels.Labels{}
	for _, s := range v {
		l := labels.NewBuilder(s.Metric).Set(model.MetricNameLabel, name).Labels()
		e.store.add(l, now, s.F)
		e.recorded[name][l.Hash()] = l
		delete(before, l.Hash())
	}
	for _, l := range before {
		e.store.stale(l, now)
	}
}

func (e *evaluation) alert(r *rulefmt.Rule, v promql.Vector, now time.Time) error {
	before := e.active[r.Alert]
	e.active[r.Alert] = map[uint64]*alert{}
	for _, s := range v {
		key := s.Metric.DropReserved(isMetricName).Hash()
		a := before[key]
		if a == nil {
			a = &alert{since: now}
		}
		if e.active[r.Alert][key] != nil {
			return fmt.Errorf("two alerts of the same labels %s", s.Metric)
		}
		e.active[r.Alert][key] = a
		a.firing = now.Sub(a.since) >= time.Duration(r.For)
		// Labels and annotations are those of the last evaluation.
		b := labels.NewBuilder(s.Metric.DropReserved(isMetricName))
		for name, text := range r.Labels {
			b.Set(name, e.expand(text, s, now))
		}
		a.labels = b.Labels()
		a.annotations = map[string]string{}
		for name, text := range r.Annotations {
			a.annotations[name] = e.expand(text, s, now)
		}
	}
	return nil
}

// expand fills in a template. What is wrong with one is part of the text, and so fails the comparison.
func (e *evaluation) expand(text string, s promql.Sample, now time.Time) string {
	const definitions = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
	query := func(_ context.Context, expr string, at time.Time) (promql.Vector, error) { return e.query(expr, at) }
	t := template.NewTemplateExpander(context.Background(), definitions+text, "__alert", template.AlertTemplateData(s.Metric.Map(), nil, "", s),
		model.TimeFromUnixNano(now.UnixNano()), query, &url.URL{}, nil)
	out, err := t.Expand()
	if err != nil {
		return "error: " + err.Error()
	}
	return out
}

// firing returns the alerts of a rule that fire.
func (e *evaluation) firing(rule string) (all []*alert) {
	for _, a := range e.active[rule] {
		if a.firing {
			all = append(all, a)
		}
	}
	return all
}
