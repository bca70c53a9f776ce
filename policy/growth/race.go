//go:build race

package growth

// raced says that the race detector runs. What it does beside the work grows in its own way.
const raced = true
