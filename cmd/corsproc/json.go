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

// writeMessage writes a message as JSON on one line, with the names of the proto. Keys are there also where there is
// nothing to say.
func writeMessage(w io.Writer, m proto.Message) error {
	data, err := messageJSON(protojson.MarshalOptions{EmitDefaultValues: true}, m)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// messageJSON returns the JSON form of a message on one line, with the names of the proto. protojson itself varies its
// blanks from build to build.
func messageJSON(options protojson.MarshalOptions, m proto.Message) ([]byte, error) {
	options.UseProtoNames = true
	data, err := options.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return printable.JSON(b.Bytes()), nil
}
