package main

// Tested by commands_test.go and reproducible_test.go.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// version and commit can be set when linking (-X main.version=v1.2.3), where the build does not record them.
var version, commit string

// unknown stands for what a build did not record.
const unknown = "unknown"

// envoyModule is the module that holds Envoy's API.
const envoyModule = "github.com/envoyproxy/go-control-plane/envoy"

// buildVersion returns what was built.
func buildVersion() *corsprocv1.Version {
	v := &corsprocv1.Version{Version: unknown, Commit: unknown, Go: runtime.Version(), EnvoyApi: unknown}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
		for _, m := range info.Deps {
			if m.Path == envoyModule {
				v.EnvoyApi = m.Version
			}
		}
	}
	if version != "" {
		v.Version = version
	}
	if commit != "" {
		v.Commit = commit
	}
	return v
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go version and the version of Envoy's API",
		Example: "  corsproc version --format json",
		Args:    noArguments,
	}
	format := addFormat(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := buildVersion()
		if *format == "text" {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "corsproc %s\ncommit %s\n%s\nenvoy api %s\n",
				v.GetVersion(), v.GetCommit(), v.GetGo(), v.GetEnvoyApi())
			return failed(err)
		}
		data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(v)
		if err != nil {
			return failed(err)
		}
		// protojson varies its blanks from build to build.
		var b bytes.Buffer
		if err := json.Compact(&b, data); err != nil {
			return failed(err)
		}
		b.WriteByte('\n')
		_, err = cmd.OutOrStdout().Write(b.Bytes())
		return failed(err)
	}
	return cmd
}
