package policyfile

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
)

// Limits of what is compiled again to find the faults behind duplicate keys: a file of many duplicates is told so, and
// its faults are told in more than one go.
const (
	maxTurns     = 8
	maxTurnBytes = 4 << 20 // of all files, summed over the turns
)

// compileRestated returns the errors that the engine finds in what stands under duplicate keys, and that are not known.
// The engine sees one value of a key at a time: so those that do not count are compiled in the place of those that do,
// turn by turn. It leaves the documents as they were.
func (c *Content) compileRestated(documents map[string]*document, known []finding.Diagnostic) []finding.Diagnostic {
	size := 1
	var turns []string
	for _, f := range c.Files {
		size += len(f.Data)
		if d := documents[f.Name]; d.whole() {
			for _, r := range d.walk.restated {
				if len(turns) < maxTurns && r.original >= 0 && !slices.Contains(turns, r.turn) {
					turns = append(turns, r.turn)
				}
			}
		}
	}
	type key struct {
		file         string
		line, column int32
		code         finding.Code
	}
	keyOf := func(f finding.Diagnostic) key { return key{f.File, f.Line, f.Column, f.Code} }
	said := map[key]bool{}
	for _, f := range known {
		said[keyOf(f)] = true
	}
	var findings []finding.Diagnostic
	for _, turn := range turns[:min(len(turns), maxTurnBytes/size)] {
		_, found := c.compile(atTurn(documents, turn), nil)
		for _, f := range found {
			if isError(f) && !said[keyOf(f)] {
				said[keyOf(f)] = true
				findings = append(findings, f)
			}
		}
		swapRestated(documents, turn)
	}
	return findings
}

// atTurn returns the documents with the duplicates of a turn in the places of those that count.
func atTurn(documents map[string]*document, turn string) map[string]*document {
	swapRestated(documents, turn)
	variants := make(map[string]*document, len(documents))
	for name, d := range documents {
		variants[name] = d
		if d.whole() && len(d.walk.restated) > 0 {
			variants[name] = &document{file: d.file}
			variants[name].fill(d.root, nil)
		}
	}
	return variants
}

// swapRestated lets the duplicates of a turn change places with the keys that count, or back.
func swapRestated(documents map[string]*document, turn string) {
	for _, d := range documents {
		if !d.whole() {
			continue
		}
		for _, r := range d.walk.restated {
			if n := r.mapping.Content; strings.HasPrefix(turn, r.turn) && r.original >= 0 {
				n[r.original], n[r.key] = n[r.key], n[r.original]
				n[r.original+1], n[r.key+1] = n[r.key+1], n[r.original+1]
			}
		}
	}
}
