//go:build race

package policydir_test

func init() { raced = true }
