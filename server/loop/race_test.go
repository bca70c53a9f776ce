//go:build race

package loop

func init() { raced = true }
