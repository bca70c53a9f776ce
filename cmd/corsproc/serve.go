package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/server"
	"github.com/corsproc/corsproc/server/logs"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve --policies PATH",
		Short: "Run the service that Envoy asks",
		Long: `Run the service that Envoy asks.

Each setting is a flag, an environment variable (CORSPROC_ and the flag in upper
case with underscores: CORSPROC_DRAIN_DELAY) and a key of the settings file
(--config, in YAML, TOML or JSON; keys are the flags' names). The flag wins, then
the environment, then the file.

With --listen= (empty) no Envoy asks it: there is the admin address alone, with its
page, /config and explain, beside an Envoy that has corsproc as a module. What is
about --listen then means nothing: tls-*, plaintext, reflection, transport, max-*,
drain-*, and traces, because no request is seen.

SIGHUP looks at the policy files, SIGTERM drains, SIGINT drains without the delay,
and a second signal stops at once.`,
		Example: `  corsproc serve --policies policies.yaml
  corsproc serve --policies /etc/corsproc/policies/ --listen unix:///run/corsproc.sock
  corsproc serve --policies /etc/corsproc/policies/ --listen=
  CORSPROC_POLICIES=policies.yaml corsproc serve --config corsproc.toml`,
		Args: noArguments,
	}
	addSettings(cmd)
	completeServe(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		stderr := cmd.ErrOrStderr()
		settings, err := readSettings(cmd.Flags(), defaultLogFormat(isTerminal(stderr)))
		if err != nil {
			return err
		}
		// Not before, because nobody listens while the settings are read; not later, so that a signal during a long load
		// is not lost.
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
		defer signal.Stop(signals)

		v := buildVersion()
		err = server.Run(cmd.Context(), settings, server.Environment{
			Log:     stderr,
			Signals: signals,
			Build:   server.Build{Version: v.GetVersion(), Commit: v.GetCommit(), Go: v.GetGo()},
		})
		if bad := (*server.PolicyError)(nil); errors.As(err, &bad) {
			policyfile.WriteText(stderr, bad.Findings)
		}
		return failed(err)
	}
	return cmd
}

func defaultLogFormat(terminal bool) logs.Format {
	if terminal {
		return logs.Text
	}
	return logs.JSON
}
