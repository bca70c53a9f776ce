package main

import (
	"errors"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/verify"
)

func newVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --policies PATH [flags] URL...",
		Short: "Ask a running gateway what the policies say it must answer",
		Long: `Ask a running gateway what the policies say it must answer: after a roll-out, in a
pipeline, from outside the CDN.

The questions come from the policies: for every place of a URL's host the origins that
are allowed and denied, those that only look like them, each method and header that is
listed and one that is not, and what is answered without Origin. A URL without a path
stands for every place of its host, one with a path for that path alone. Only preflights
(OPTIONS) and GET or HEAD are sent, only to hosts of the URLs, no redirect is followed and
no body is read. Places of passthrough are not asked about.

An answer is compared twice: as a browser looks at it (a difference: who gets in that
must not, or is kept out) and header by header (a finding: a missing Vary, a header twice).
The status of the upstream does not count. What the pattern of them means is said, too:
not attached, behind authentication, an older set, a cache that takes Vary away.

A virtual host of the policies that has only a name cannot be found from a URL:
--virtual-host says which name Envoy has for it, --route the same of a route.

The exit status is 0 if the gateway agrees, 1 if it differs, 2 if the command is called
wrongly, a policy file is bad, there is nothing to ask or something had no answer, and
130 after Ctrl-C, with what is known so far.`,
		Example: `  corsproc verify --policies policies.yaml https://api.example.com
  corsproc verify --policies policies.yaml --connect 192.0.2.10:443 https://api.example.com
  corsproc verify --policies envoy/demo/policies.yaml --virtual-host api http://localhost:8080
  corsproc verify --policies policies.yaml --format junit https://api.example.com > report.xml`,
		Args: takesSome("one URL or several"),
	}
	var s verifySettings
	flags := cmd.Flags()
	flags.StringVar(&s.policies, "policies", "", "policy file or directory, or - for standard input (required)")
	flags.StringArrayVar(&s.virtualHosts, "virtual-host", nil, "Envoy's `NAME` of the virtual host of all URLs, or NAME=HOST[:PORT] for one host; repeatable")
	flags.StringArrayVar(&s.routes, "route", nil, "`NAME=PATH`: a path that Envoy has in the route of a name; repeatable")
	flags.StringVar(&s.Method, "method", "GET", "the method of requests that are no preflights, GET or HEAD")
	flags.BoolVar(&s.PreflightsOnly, "preflights-only", false, "send preflights only: nothing reaches an upstream")
	flags.StringVar(&s.connect, "connect", "", "`HOST:PORT` to send everything to, whatever the URLs' hosts are")
	flags.StringArrayVarP(&s.headers, "header", "H", nil, "a header to add to every request, `'Name: value'`; repeatable")
	s.tls.addFlags(flags)
	s.rate = 50
	flags.Var(rateFlag{&s.rate}, "rate", "requests a second, evenly spaced")
	flags.IntVar(&s.Most, "max-requests", 2000, "how many requests may be sent in all")
	flags.IntVar(&s.Repeat, "repeat", 1, "how often each question is asked: replicas may disagree")
	flags.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long a request may take")
	format := addFormat(cmd, "text", "json", "junit")
	cmd.MarkFlagRequired("policies")
	completeVerify(cmd, &s.policies)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sites, siteErr := sitesOf(args)
		if err := errors.Join(s.checkFlags(), siteErr); err != nil {
			return err
		}
		config, err := s.tls.config()
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		policies, err := loadPolicies(s.policies, cmd.InOrStdin(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if err := s.checkNames(policies.Set); err != nil {
			return err
		}
		for _, site := range sites {
			site.VirtualHost = s.virtualHostOf(policies.Set, site.Target)
		}
		return s.verify(cmd, verify.NewPlan(policies.Set, sites, s.Options), newAsker(&s, config), *format)
	}
	return cmd
}

// verify asks what is planned, and tells what came of it.
func (s *verifySettings) verify(cmd *cobra.Command, plan *verify.Plan, a *asker, format string) error {
	unasked := error(nil)
	if len(plan.Unasked) > 0 {
		unasked = errors.New(strings.Join(plan.Unasked, "\n"))
	}
	if len(plan.Questions) == 0 {
		return &exitError{status: exitUsage, err: unasked}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program at once
	}()
	v := verification{plan: plan, asker: a, repeat: s.Repeat, report: verify.NewReport(plan, s.Repeat)}
	v.report.Redact = s.redact
	v.run(ctx, cmd.ErrOrStderr())
	interrupted := ctx.Err() != nil

	if err := writeVerification(cmd.OutOrStdout(), v.report, format); err != nil {
		return &exitError{status: exitUsage, err: err}
	}
	differences, findings := v.report.Wrong()
	switch {
	case interrupted:
		return &exitError{status: exitInterrupted, err: unasked}
	case differences+findings > 0:
		return &exitError{status: exitFailure, err: unasked}
	case !v.report.Complete():
		return &exitError{status: exitUsage, err: unasked}
	}
	return nil
}

func writeVerification(w io.Writer, r *verify.Report, format string) error {
	switch format {
	case "json":
		return writeMessage(w, r.Message(), leftOut)
	case "junit":
		return r.WriteJUnit(w)
	}
	return verify.WriteText(w, r.Message(), isColorful(w))
}

// completeVerify lets a shell complete what verify takes. Its routes are those of every virtual host.
func completeVerify(cmd *cobra.Command, path *string) {
	completeNames(cmd, path, new(string))
	completeFlag(cmd, "method", func() []string { return []string{"GET", "HEAD"} })
	completeNoFile(cmd, "connect", "header", "rate", "max-requests", "repeat", "timeout")
}
