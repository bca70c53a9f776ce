package main

// Tested by settings_test.go and settings_fuzz_test.go.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/corsproc/corsproc/server"
	"github.com/corsproc/corsproc/server/logs"
)

// configFlag names the settings file. It is no setting itself: a file cannot name another.
const configFlag = "config"

// envName returns the environment variable of a flag.
func envName(flag string) string {
	return "CORSPROC_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagText is the value of a setting's flag: the text as it was written. It is looked at together with the other
// sources, so that everything that is wrong is told at once.
type flagText struct {
	setting *setting
	text    string
	given   bool
}

func (f *flagText) String() string { return f.text }

// Type is what help calls the value; the library writes "bool" for flags that need none.
func (f *flagText) Type() string {
	if f.setting.toggle {
		return "bool"
	}
	return f.setting.shown
}

func (f *flagText) Set(s string) error {
	if f.setting.list && f.given {
		s = f.text + "," + s
	}
	f.text, f.given = s, true
	return nil
}

// addSettings adds a flag per setting to a command.
func addSettings(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.String(configFlag, "", "settings `FILE` in YAML, TOML or JSON")
	for i := range allSettings {
		s := &allSettings[i]
		f := flags.VarPF(&flagText{setting: s, text: s.fallback}, s.name, "", s.usage)
		if s.toggle {
			f.NoOptDefVal = "true"
		}
	}
}

// readSettings reads the settings from flags, environment and settings file, in this order of precedence. Everything
// that is wrong with them is one error, which carries the exit status: usage if any flag is to blame.
func readSettings(flags *pflag.FlagSet, format logs.Format) (server.Settings, error) {
	settings := server.Settings{LogFormat: format}
	status := exitFailure
	name, _ := flags.GetString(configFlag)
	var problems []error
	if flags.Changed(configFlag) {
		if name == "" {
			problems, status = append(problems, errors.New("--config: is empty; name a file, or leave the flag out")), exitUsage
		}
	} else if text, ok := os.LookupEnv(envName(configFlag)); ok {
		if name = text; name == "" {
			problems = append(problems, fmt.Errorf("%s: is empty; name a file, or unset it", envName(configFlag)))
		}
	}
	file := readSettingsFile(name)
	problems = append(problems, file.problems...)
	file.AllowEmptyEnv(true)
	missing, fileWrong := false, len(file.problems) > 0

	for i := range allSettings {
		s := &allSettings[i]
		source, value := find(s.name, flags, file.Viper, name)
		switch {
		case source != "":
		case s.name == "policies":
			if !file.says(s.name) {
				missing = true
				problems = append(problems, errors.New("--policies is required: name the policy file or directory"))
			}
			continue
		case s.fallback == "":
			continue
		default:
			value = s.fallback
		}
		values, err := s.valuesOf(value)
		if err == nil {
			err = s.set(&settings, values)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", source, err))
			if flags.Changed(s.name) {
				status = exitUsage
			} else if !isSet(envName(s.name)) {
				fileWrong = true
			}
			if s.fallback != "" {
				_ = s.set(&settings, splitList(s.fallback)) // so that nothing is said of its absence; fallbacks are right
			}
		}
	}
	if len(problems) == 0 {
		return settings, nil
	}
	if missing && !fileWrong {
		status = exitUsage // whoever names a settings file that is wrong has tried
	}
	// What server.Run would find next belongs to the same answer.
	problems = append(problems, settings.Validate())
	return settings, &exitError{status: status, err: errors.Join(problems...)}
}

// find returns the value of a setting and the source that it comes from; no source: nothing sets it. Flags are looked at
// before viper is, because viper turns a malformed boolean into false.
func find(name string, flags *pflag.FlagSet, v *viper.Viper, file string) (source string, value any) {
	if f := flags.Lookup(name); f.Changed {
		return "--" + name, f.Value.String()
	}
	if v.BindEnv(name, envName(name)); v.IsSet(name) {
		source = envName(name)
		if !isSet(source) {
			source = file + ": " + name
		}
		return source, v.Get(name)
	}
	return "", nil
}

// isSet reports whether an environment variable is set, be it to nothing.
func isSet(variable string) bool {
	_, ok := os.LookupEnv(variable)
	return ok
}

// valuesOf turns what viper holds for a setting into texts. Flags, the environment and YAML give texts; TOML and JSON
// give values with types, of which only the fitting ones are taken.
func (s *setting) valuesOf(value any) ([]string, error) {
	switch value := value.(type) {
	case string:
		if s.list {
			return splitList(value), nil
		}
		return []string{value}, nil
	case bool:
		if s.toggle {
			return []string{strconv.FormatBool(value)}, nil
		}
	case int64:
		if s.number {
			return []string{strconv.FormatInt(value, 10)}, nil
		}
	case float64:
		if s.number {
			return []string{strconv.FormatFloat(value, 'f', -1, 64)}, nil
		}
	case json.Number:
		if s.number {
			return []string{value.String()}, nil
		}
	case []any:
		if !s.list {
			return nil, errors.New("is a list where a single value is wanted")
		}
		var texts []string
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, errors.New("is a list of something else than texts")
			}
			texts = append(texts, text)
		}
		return texts, nil
	case map[string]any:
		return nil, errors.New("is neither a value nor a list of values")
	}
	if s.toggle {
		return nil, fmt.Errorf("%v is neither true nor false", value)
	}
	return nil, fmt.Errorf("%v is no text; write it in quotes", value)
}
