package finding

// Tested by finding_test.go.

import (
	"fmt"
	"slices"
)

// maxFindings is how often the same is said of one source. A hostile file of a few megabytes can hold millions of faults,
// and nobody reads them.
const maxFindings = 1000

// Collector takes the findings about some sources, of each kind at most 1,000 in each source. One that says that there
// were more stands for the rest. The zero value is ready for use, by one goroutine at a time.
type Collector struct {
	// Each is called for every finding, also for those that are too many to be kept; nil: nothing is.
	Each func(Finding)

	findings      []Finding
	said          map[kind]int
	added, errors int
}

// kind is what is counted together.
type kind struct {
	source string
	code   Code
}

// Add takes a finding.
func (c *Collector) Add(f Finding) {
	c.added++
	if f.Severity == Error {
		c.errors++
	}
	if c.Each != nil {
		c.Each(f)
	}
	k := kind{f.Location.Source, f.Code}
	switch n := c.said[k]; {
	case n > maxFindings:
		return
	case n == maxFindings:
		f = Finding{Severity: f.Severity, Code: CodeTooManyFindings, Location: f.Location,
			Message: fmt.Sprintf("there are more than %d findings of the kind %s; what follows is not shown", maxFindings, f.Code)}
	}
	if c.said == nil {
		c.said = map[kind]int{}
	}
	c.said[k]++
	c.findings = append(c.findings, f)
}

// Fail takes an error about a value. Where a template's variable stands in it, that is what is said.
func (c *Collector) Fail(f Finding) {
	f.Severity = Error
	if IsPlaceholder(f.Value) {
		f.Message, f.Fix = PlaceholderMessage, ""
	}
	c.Add(f)
}

// Warn takes a warning.
func (c *Collector) Warn(f Finding) {
	f.Severity = Warning
	c.Add(f)
}

// Hint takes a hint.
func (c *Collector) Hint(f Finding) {
	f.Severity = Hint
	c.Add(f)
}

// Findings returns what is kept, in the order in which it was added. The slice is the collector's until nothing more is
// added.
func (c *Collector) Findings() []Finding { return c.findings }

// Added returns how many findings there were, kept or not.
func (c *Collector) Added() int { return c.added }

// Errors returns how many of them were errors.
func (c *Collector) Errors() int { return c.errors }

// Drop forgets the findings of which drop says so.
func (c *Collector) Drop(drop func(Finding) bool) { c.findings = slices.DeleteFunc(c.findings, drop) }
