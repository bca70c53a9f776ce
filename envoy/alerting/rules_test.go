package alerting

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"
)

const (
	rulesFile = "../alerts.yaml"
	testsFile = "../alerts_test.yaml"
)

// testFile is a file of `promtool test rules`, what of it is used here.
type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []ruleTest     `yaml:"tests"`
}

type ruleTest struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	AlertRuleTests []alertTest `yaml:"alert_rule_test"`
}

type alertTest struct {
	EvalTime  model.Duration  `yaml:"eval_time"`
	Alert     string          `yaml:"alertname"`
	ExpAlerts []expectedAlert `yaml:"exp_alerts"`
}

type expectedAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// readRules reads the rules as Prometheus does, strictly.
func readRules(t *testing.T) *rulefmt.RuleGroups {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, promParser, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return groups
}

func readTests(t *testing.T) *testFile {
	t.Helper()
	data, err := os.ReadFile(testsFile)
	if err != nil {
		t.Fatal(err)
	}
	var f testFile
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return &f
}

// TestRules runs alerts_test.yaml.
func TestRules(t *testing.T) {
	groups, file := readRules(t), readTests(t)
	if !slices.Equal(file.RuleFiles, []string{"alerts.yaml"}) {
		t.Errorf("the tests are of %v", file.RuleFiles)
	}
	for _, test := range file.Tests {
		t.Run(test.Name, func(t *testing.T) {
			s := &store{}
			for _, in := range test.InputSeries {
				if err := s.load(promParser, in.Series, in.Values, time.Duration(test.Interval)); err != nil {
					t.Fatalf("%s: %v", in.Series, err)
				}
			}
			e := newEvaluation(groups, s, time.Duration(file.EvaluationInterval))
			left := slices.Clone(test.AlertRuleTests)
			for now := time.Duration(0); len(left) > 0; now += e.interval {
				if err := e.at(time.UnixMilli(0).Add(now)); err != nil {
					t.Fatal(err)
				}
				left = slices.DeleteFunc(left, func(a alertTest) bool {
					if time.Duration(a.EvalTime) < now+e.interval {
						compare(t, e, a)
						return true
					}
					return false
				})
			}
		})
	}
}

func compare(t *testing.T, e *evaluation, want alertTest) {
	t.Helper()
	var got, wanted []string
	for _, a := range e.firing(want.Alert) {
		got = append(got, describe(a.labels.Map(), a.annotations))
	}
	for _, a := range want.ExpAlerts {
		wanted = append(wanted, describe(a.Labels, a.Annotations))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("%s after %s:\n%s", want.Alert, want.EvalTime, diff)
	}
}

// describe writes an alert as text. Maps are written in the order of their keys.
func describe(labels, annotations map[string]string) string {
	return fmt.Sprintf("labels %v annotations %v", labels, annotations)
}

// TestEveryAlertIsTested finds for each alert a test in which it fires, and one in which it does not.
func TestEveryAlertIsTested(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range readTests(t).Tests {
		for _, a := range test.AlertRuleTests {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alert] = true
			} else {
				silent[a.Alert] = true
			}
		}
	}
	for _, r := range alerts(t) {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: tested firing: %t, silent: %t", r.Alert, fires[r.Alert], silent[r.Alert])
		}
		delete(fires, r.Alert)
		delete(silent, r.Alert)
	}
	if len(fires)+len(silent) > 0 {
		t.Errorf("tests of no alert: %v %v", fires, silent)
	}
}

func alerts(t *testing.T) (all []rulefmt.Rule) {
	t.Helper()
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				all = append(all, r)
			}
		}
	}
	return all
}
