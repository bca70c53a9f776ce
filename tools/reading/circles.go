package main

// Tested by main_test.go.

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// writeCircles writes, of each package with one, its largest circle of files: the package, how many of its files and lines
// are in the circle, and which. The largest comes first.
func (m *module) writeCircles(w io.Writer) error {
	rooms := map[string][]*file{}
	for _, f := range m.files {
		rooms[f.room] = append(rooms[f.room], f)
	}
	type room struct {
		name         string
		files, lines int
		circle       []*file
	}
	var found []room
	none := 0
	for name, files := range rooms {
		circle := largestCircle(files)
		if len(circle) < 2 {
			none++
			continue
		}
		found = append(found, room{name, len(files), linesOf(files), circle})
	}
	slices.SortFunc(found, func(a, b room) int {
		return cmp.Or(linesOf(b.circle)-linesOf(a.circle), strings.Compare(a.name, b.name))
	})
	for _, r := range found {
		var names []string
		for _, f := range r.circle {
			names = append(names, filepath.Base(f.path))
		}
		if _, err := fmt.Fprintf(w, "%s: %d of %d files, %d of %d lines: %s\n",
			r.name, len(r.circle), r.files, linesOf(r.circle), r.lines, strings.Join(names, " ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d packages have no circle\n", none)
	return err
}

func linesOf(files []*file) (lines int) {
	for _, f := range files {
		lines += f.lines
	}
	return lines
}

// largestCircle returns the strongly connected files of the most lines, in the order of their names: those that each can be
// reached from every other.
func largestCircle(files []*file) (largest []*file) {
	uses := map[*file]map[*file]bool{}
	for _, f := range files {
		uses[f] = map[*file]bool{}
		for _, d := range f.decls {
			for to := range d.uses {
				if to.file.room == f.room {
					uses[f][to.file] = true
				}
			}
		}
	}
	// Packages have tens of files: what each reaches can be asked for.
	reach := map[*file]map[*file]bool{}
	for _, f := range files {
		reach[f] = reached(f, func(f *file) map[*file]bool { return uses[f] })
	}
	for _, f := range files {
		var circle []*file
		for other := range reach[f] {
			if reach[other][f] {
				circle = append(circle, other)
			}
		}
		if linesOf(circle) > linesOf(largest) {
			largest = circle
		}
	}
	slices.SortFunc(largest, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	return largest
}

// reached returns a node, and all that can be reached from it.
func reached[T comparable](from T, next func(T) map[T]bool) map[T]bool {
	seen := map[T]bool{from: true}
	for todo := []T{from}; len(todo) > 0; {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for n := range maps.Keys(next(last)) {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return seen
}
