package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v4"
)

// readSettingsFile returns a viper that holds the settings file, or an empty one for no name, with everything that is
// wrong with the file but for the values. The file is read once: settings do not change while the process runs.
func readSettingsFile(name string) (*viper.Viper, []error) {
	if name == "" {
		return viper.New(), nil
	}
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	if !slices.Contains([]string{"yaml", "yml", "toml", "json"}, format) {
		return viper.New(), []error{fmt.Errorf("%s: the name of a settings file ends in .yaml, .yml, .toml or .json", name)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return viper.New(), []error{fmt.Errorf("the settings file cannot be read: %w", err)}
	}
	strict := &strictDecoder{format: format}
	v := viper.NewWithOptions(viper.WithDecoderRegistry(strict))
	v.SetConfigType(format)
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		if parse := (viper.ConfigParseError{}); errors.As(err, &parse) {
			err = parse.Unwrap() // without viper's own words
		}
		return v, []error{fmt.Errorf("%s: %w", name, err)}
	}
	var problems []error
	for _, p := range strict.problems {
		problems = append(problems, fmt.Errorf("%s: %w", name, p))
	}
	return v, problems
}

// strictDecoder reads settings files for viper and notes what viper would let pass: unknown keys, keys in another case
// (which viper folds, so that of two one silently wins) and null (which it takes for absent).
type strictDecoder struct {
	format   string
	problems []error
}

// Decoder implements viper.DecoderRegistry.
func (d *strictDecoder) Decoder(string) (viper.Decoder, error) { return d, nil }

// Decode implements viper.Decoder.
func (d *strictDecoder) Decode(data []byte, into map[string]any) error {
	if err := d.decode(data, into); err != nil {
		return err
	}
	known := make([]string, len(allSettings))
	for i, s := range allSettings {
		known[i] = s.name
	}
	keys := make([]string, 0, len(into))
	for key := range into {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch {
		case !slices.Contains(known, key):
			hint := ""
			if best := nearest(strings.ReplaceAll(strings.ToLower(key), "_", "-"), known); best != "" {
				hint = fmt.Sprintf("; did you mean %s?", best)
			}
			d.problems = append(d.problems, fmt.Errorf("%s: unknown key%s", key, hint))
			delete(into, key)
		case into[key] == nil:
			d.problems = append(d.problems, fmt.Errorf("%s: has no value; leave the key out, or write one", key))
			delete(into, key)
		}
	}
	return nil
}

func (d *strictDecoder) decode(data []byte, into map[string]any) error {
	if d.format == "yaml" || d.format == "yml" {
		return decodeYAML(data, into)
	}
	decoder, err := viper.NewCodecRegistry().Decoder(d.format)
	if err != nil {
		return err
	}
	return decoder.Decode(data, into)
}

// decodeYAML reads YAML with every value as the text that was written: viper's own reader would make an octal number of
// 0660, which is what people write for a file mode, and a decimal one of 660. It takes exactly one document.
func decodeYAML(data []byte, into map[string]any) error {
	var document, next yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err == io.EOF {
		return nil
	} else if err != nil {
		return err
	}
	if err := decoder.Decode(&next); err == nil {
		return fmt.Errorf("line %d: a settings file is one document", next.Line)
	} else if err != io.EOF {
		return err
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		return nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a settings file holds keys and values", root.Line)
	}
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if _, ok := into[key.Value]; ok {
			return fmt.Errorf("line %d: %s: stands twice", key.Line, key.Value)
		}
		value, err := valueOf(root.Content[i+1])
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", key.Line, key.Value, err)
		}
		into[key.Value] = value
	}
	return nil
}

// valueOf returns the text of a scalar, the texts of a list, or nil for null.
func valueOf(n *yaml.Node) (any, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case isNull(n):
		return nil, nil
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind != yaml.SequenceNode:
		return nil, errors.New("is neither a value nor a list of values")
	}
	list := make([]any, len(n.Content))
	for i, item := range n.Content {
		if item.Kind != yaml.ScalarNode || isNull(item) {
			return nil, errors.New("is a list of something else than values")
		}
		list[i] = item.Value
	}
	return list, nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
