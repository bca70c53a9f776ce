package learn

// Tested by scan_test.go and limits_test.go.

import (
	"strconv"
	"time"
)

// milliseconds is from which number on a time is one of milliseconds and not of seconds: the year 5138, or 1973.
const milliseconds = 1e11

// timeOf returns the time of a line in Unix milliseconds, 0 if it has none that is RFC 3339 or Unix seconds or
// milliseconds.
func (l *Learner) timeOf(v *values) int64 {
	text := v.of[fieldTime]
	if len(text) == 0 || len(text) > 64 {
		return 0
	}
	ms := parseTime(text)
	l.times.add(ms)
	return ms
}

func parseTime(text []byte) int64 {
	var t time.Time
	if t.UnmarshalText(text) == nil {
		return bounded(t.UnixMilli())
	}
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || !(f > 0):
		return 0
	case f < milliseconds:
		f *= 1000
	}
	if f > maxTime {
		return 0
	}
	return int64(f + 0.5)
}

// maxTime is the end of the year 9999, the last that RFC 3339 can tell.
const maxTime = 253402300799999

func bounded(ms int64) int64 {
	if ms < 0 || ms > maxTime {
		return 0
	}
	return ms
}

// A period is when something was seen first and last, in Unix milliseconds; 0: no line of it has a time.
type period struct{ first, last int64 }

// add adds the time of a line, 0 if it has none.
func (p *period) add(t int64) {
	if t == 0 {
		return
	}
	if p.first == 0 || t < p.first {
		p.first = t
	}
	p.last = max(p.last, t)
}

// merge adds another period.
func (p *period) merge(other period) {
	p.add(other.first)
	p.add(other.last)
}

// String tells the period, empty if there is none.
func (p period) String() string {
	if p.first == p.last {
		return told(p.first)
	}
	return told(p.first) + " to " + told(p.last)
}

// told writes a time as RFC 3339, empty if there is none.
func told(ms int64) string {
	if ms == 0 {
		return ""
	}
	if t := time.UnixMilli(ms).UTC(); ms%1000 == 0 {
		return t.Format(time.RFC3339)
	} else {
		return t.Format("2006-01-02T15:04:05.000Z07:00")
	}
}
