package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/learn"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/printable"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that lets a shell complete commands and flags",
		Long:  "Print a script that lets a shell complete commands and flags. SHELL is bash, zsh, fish or powershell.",
		Example: `  source <(corsproc completion bash)
  corsproc completion fish > ~/.config/fish/completions/corsproc.fish`,
		Args: takes(1, "one SHELL"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return beginWith(start, []string{"bash", "zsh", "fish", "powershell"}), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				if err := root.GenBashCompletionV2(out, true); err != nil {
					return err
				}
				_, err := io.WriteString(out, bashAlone)
				return err
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return fmt.Errorf("%q is no shell that completion is known for; write bash, zsh, fish or powershell", args[0])
		},
	}
}

// methods are the methods that a shell completes: those of every browser, the most frequent first.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}

// completeExplain lets a shell complete what explain takes.
func completeExplain(cmd *cobra.Command, path, virtualHost *string) {
	completeNames(cmd, path, virtualHost)
	completeFlag(cmd, "method", func() []string { return methods })
	completeFlag(cmd, "credentials", browser.CredentialsNames)
	completeNoFile(cmd, "origin", "header")
}

// completeServe lets a shell complete what settings take; names of files beside the settings that have others.
func completeServe(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("policies", completePolicies)
	cmd.RegisterFlagCompletionFunc(configFlag, cobra.FixedCompletions([]string{"yaml", "yml", "toml", "json"}, cobra.ShellCompDirectiveFilterFileExt))
	for flag, words := range map[string][]string{"transport": {"loop", "grpc"}, "log-level": {"debug", "info", "warn", "error"}, "log-format": {"text", "json"}} {
		completeFlag(cmd, flag, func() []string { return words })
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
}

// completeLearn lets a shell complete what learn takes beside its LOGs.
func completeLearn(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("policies", completePolicies)
	completeFlag(cmd, "routes", func() []string { return learn.RoutesNames })
	cmd.RegisterFlagCompletionFunc("field", func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		names := learn.FieldNames()
		for i := range names {
			names[i] += "="
		}
		return beginWith(start, names), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	completeNoFile(cmd, "trust-reflected")
}

// completeNames lets a shell complete the policies under path, and the names that they have: those of virtual hosts, and of
// the routes in the one that is given.
func completeNames(cmd *cobra.Command, path, virtualHost *string) {
	completeFlag(cmd, "virtual-host", func() []string {
		names, _ := envoyNames(*path, "")
		return names
	})
	completeFlag(cmd, "route", func() []string {
		_, routes := envoyNames(*path, *virtualHost)
		return routes
	})
	cmd.RegisterFlagCompletionFunc("policies", completePolicies)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
}

// completeFlag lets a shell complete the value of a flag by some words.
func completeFlag(cmd *cobra.Command, flag string, words func() []string) {
	cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		return beginWith(start, words()), cobra.ShellCompDirectiveNoFileComp
	})
}

// completeNoFile keeps a shell from offering files as values of flags.
func completeNoFile(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		completeFlag(cmd, flag, func() []string { return nil })
	}
}

// completePolicies lets a shell complete policy files, and the directories on the way to them.
func completePolicies(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// envoyNames returns Envoy's names of virtual hosts in the policies of a path, and those of the routes in the virtual
// hosts that may have a name, or in all of them. It returns nothing where the policies cannot be read: a completion says nothing.
func envoyNames(path, virtualHost string) (names, routes []string) {
	content, err := policydir.Read(path, strings.NewReader(""))
	if err != nil {
		return nil, nil
	}
	set := content.Compile().Set
	if set == nil {
		return nil, nil
	}
	for name, in := range set.EnvoyNames() {
		if name != "" {
			names = append(names, name)
		}
		if virtualHost == "" || virtualHost == name || strings.Contains(name, "*") {
			routes = append(routes, in...)
		}
	}
	slices.Sort(routes)
	return names, slices.Compact(routes)
}

// beginWith returns the words that begin as what is to be completed does, and that a shell can show.
func beginWith(start string, words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(s string) bool {
		return !strings.HasPrefix(s, start) || printable.Text(s) != s
	})
}
