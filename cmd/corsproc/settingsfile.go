package main

// Tested by settings_test.go and settings_fuzz_test.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/internal/disk"
	"github.com/corsproc/corsproc/policy/finding"
)

// settingsFile is what a settings file says.
type settingsFile struct {
	*viper.Viper
	problems []error
	// refused are the keys whose values the file has and that cannot be used; unread says that this may be any key.
	refused map[string]bool
	unread  bool
}

// says reports whether the file may have a value for a key that nobody else sets.
func (f *settingsFile) says(key string) bool { return f.unread || f.refused[key] }

// maxSettingsBytes bounds a settings file. All settings there are take a few kilobytes.
const maxSettingsBytes = 1 << 20

// readSettingsFile reads a settings file; without a name, an empty one. It is read once: settings do not change while
// the process runs.
func readSettingsFile(name string) *settingsFile {
	f := &settingsFile{Viper: viper.New()}
	if name == "" {
		return f
	}
	fatal := func(err error) *settingsFile {
		f.problems, f.unread = []error{err}, true
		return f
	}
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	if !slices.Contains([]string{"yaml", "yml", "toml", "json"}, format) {
		return fatal(fmt.Errorf("%s: the name of a settings file ends in .yaml, .yml, .toml or .json", name))
	}
	data, err := disk.ReadFile(new(disk.Task), name, maxSettingsBytes)
	switch {
	case errors.Is(err, disk.ErrNotRegular):
		return fatal(fmt.Errorf("%s: a settings file is a regular file", name))
	case err != nil:
		return fatal(fmt.Errorf("the settings file cannot be read: %w", err))
	case len(data) > maxSettingsBytes:
		return fatal(fmt.Errorf("%s: a settings file has at most %d bytes", name, maxSettingsBytes))
	}
	strict := &strictDecoder{format: format, refused: map[string]bool{}}
	f.Viper = viper.NewWithOptions(viper.WithDecoderRegistry(strict))
	f.SetConfigType(format)
	if err := f.ReadConfig(bytes.NewReader(data)); err != nil {
		if parse := (viper.ConfigParseError{}); errors.As(err, &parse) {
			err = parse.Unwrap() // without viper's own words
		}
		return fatal(fmt.Errorf("%s: %w", name, err))
	}
	f.refused = strict.refused
	for _, p := range strict.problems {
		f.problems = append(f.problems, fmt.Errorf("%s: %w", name, p))
	}
	return f
}

// strictDecoder reads settings files for viper and notes what viper would let pass: unknown keys, keys in another case
// (which viper folds, so that of two one silently wins) and null (which it takes for absent).
type strictDecoder struct {
	format   string
	problems []error
	refused  map[string]bool // the keys whose values cannot be used
}

// refuse notes a key whose value cannot be used.
func (d *strictDecoder) refuse(key string, err error) {
	d.problems = append(d.problems, err)
	d.refused[key] = true
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
			if best := finding.Nearest(strings.ReplaceAll(strings.ToLower(key), "_", "-"), slices.Values(known)); best != "" {
				hint = fmt.Sprintf("; did you mean %s?", best)
			}
			d.problems = append(d.problems, fmt.Errorf("%s: unknown key%s", key, hint))
			delete(into, key)
		case into[key] == nil:
			d.refuse(key, fmt.Errorf("%s: has no value; leave the key out, or write one", key))
			delete(into, key)
		}
	}
	return nil
}

func (d *strictDecoder) decode(data []byte, into map[string]any) error {
	switch d.format {
	case "json":
		return d.decodeJSON(data, into)
	case "yaml", "yml":
		return d.decodeYAML(data, into)
	}
	decoder, err := viper.NewCodecRegistry().Decoder(d.format)
	if err != nil {
		return err
	}
	err = decoder.Decode(data, into)
	if positioned := interface{ Position() (row, column int) }(nil); errors.As(err, &positioned) {
		line, _ := positioned.Position()
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}

// decodeJSON reads JSON key by key: of a key that stands twice, the library's maps keep the last value silently.
func (d *strictDecoder) decodeJSON(data []byte, into map[string]any) error {
	lineAt := func(offset int64) int { return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n")) }
	if err := json.Unmarshal(data, new(any)); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return fmt.Errorf("line %d: %w", lineAt(syntax.Offset), err)
		}
		return err
	}
	// From here on it is known to be JSON, so that no error is left but that of the kind.
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return fmt.Errorf("line %d: a settings file holds keys and values", lineAt(decoder.InputOffset()))
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string)
		line := lineAt(decoder.InputOffset())
		var value any
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if _, ok := into[key]; ok {
			d.refuse(key, fmt.Errorf("line %d: %s: stands twice", line, key))
			continue
		}
		into[key] = value
	}
	return nil
}

// decodeYAML reads YAML with every value as the text that was written: viper's own reader would make an octal number of
// 0660, which is what people write for a file mode, and a decimal one of 660. It takes exactly one document.
func (d *strictDecoder) decodeYAML(data []byte, into map[string]any) error {
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
		if _, ok := into[key.Value]; ok || d.refused[key.Value] {
			d.refuse(key.Value, fmt.Errorf("line %d: %s: stands twice", key.Line, key.Value))
			continue
		}
		value, err := valueOf(root.Content[i+1])
		if err != nil {
			d.refuse(key.Value, fmt.Errorf("line %d: %s: %w", key.Line, key.Value, err))
			continue
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
