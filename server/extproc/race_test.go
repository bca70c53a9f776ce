//go:build race

package extproc

func init() { raced = true }
