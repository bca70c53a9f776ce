package convert

import "fmt"

// A Source is one file.
type Source struct {
	Name string
	Data []byte
}

// An InputError is a file that cannot be used.
type InputError struct {
	File         string
	Line, Column int
	Message      string
}

func (e *InputError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}
