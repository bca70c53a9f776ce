//go:build race

package policyfile_test

func init() { raced = true }
