package main

// Tested by main_test.go.

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// writeUsed writes how many lines a reader of the declaration of that name has to know, with its own, and in which packages
// and files they are.
func (m *module) writeUsed(w io.Writer, name string) error {
	of := m.find(name)
	switch {
	case len(of) == 0:
		return fmt.Errorf("there is no %s; names are like policy.Compile and policy.(*Set).Decide", name)
	case len(of) > 1:
		return fmt.Errorf("%s is %s and %s; write more of it", name, of[0].name, of[1].name)
	}
	known := reached(of[0], func(d *decl) map[*decl]bool { return d.uses })
	total, perRoom, perFile := 0, map[string]int{}, map[*file]int{}
	for d := range known {
		total += d.lines
		perRoom[d.file.room] += d.lines
		perFile[d.file] += d.lines
	}
	if _, err := fmt.Fprintf(w, "%s: %d lines of %d declarations in %d files\n", of[0].name, total, len(known), len(perFile)); err != nil {
		return err
	}
	for _, room := range byLines(perRoom, strings.Compare) {
		var files []*file
		for f := range perFile {
			if f.room == room {
				files = append(files, f)
			}
		}
		if _, err := fmt.Fprintf(w, "  %s: %d lines in %d files\n", room, perRoom[room], len(files)); err != nil {
			return err
		}
	}
	return nil
}

// byLines returns the keys, those of the most lines first.
func byLines[K comparable](lines map[K]int, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(lines))
	for k := range lines {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(lines[b]-lines[a], compare(a, b)) })
	return keys
}
