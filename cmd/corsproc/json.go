package main

// Tested by explain_test.go.

import (
	"bytes"
	"encoding/json"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/printable"
)

// absent says what JSON has for a message within a message that is not there. All other keys are there also where there is
// nothing to say.
type absent bool

const (
	leftOut absent = false
	null    absent = true
)

// writeMessage writes a message as JSON on one line, with the names of the proto.
func writeMessage(w io.Writer, m proto.Message, how absent) error {
	data, err := messageJSON(m, how)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// messageJSON returns the JSON form of a message on one line, with the names of the proto. protojson itself varies its
// blanks from build to build.
func messageJSON(m proto.Message, how absent) ([]byte, error) {
	options := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: how == leftOut, EmitUnpopulated: how == null}
	data, err := options.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(data) + 1)
	if err := json.Compact(&b, data); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return printable.JSON(b.Bytes()), nil
}
