// Command reading measures how much of the house a reader has to have in mind.
//
//	go run -C tools ./reading                              # of each package, the largest circle of files
//	go run -C tools ./reading 'policy.(*Set).Decide' …     # what a reader of these declarations has to know
//
// Files form a circle where the declarations of each use those of another, until the first is reached again: none of them
// can be understood, or moved, without the others. What a reader of a declaration has to know are the declarations of the
// module that it uses, and those that they use, and so on. Both are read off the type checker: a use of a field is one of its
// struct, a call through an interface is one of the interface alone. Tests are left out, and generated files too, but for
// their names.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	dir := flag.String("module", "..", "the module's `folder`")
	flag.Parse()
	if err := run(os.Stdout, *dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "reading:", err)
		os.Exit(1)
	}
}

// run writes about the module in dir: the circles of its packages, or what the declarations named use.
func run(w io.Writer, dir string, names []string) error {
	m, err := load(dir)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return m.writeCircles(w)
	}
	for _, name := range names {
		if err := m.writeUsed(w, name); err != nil {
			return err
		}
	}
	return nil
}
