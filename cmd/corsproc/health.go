package main

// Tested by serve_test.go.

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthTimeout is how long the service may take to answer. Kubernetes gives an exec probe one second by default, and
// kills it silently; whoever gives it more learns the reason from us.
const healthTimeout = 3 * time.Second

func newHealth() *cobra.Command {
	var secure healthTLS
	cmd := &cobra.Command{
		Use:   "health ADDR",
		Short: "Ask a running service for its health",
		Long: `Ask the gRPC health service at ADDR, which is host:port or unix:///path: an address
of --listen, or the one of --admin-listen. The exit status is 0 if it is serving and
1 if not. For images without a shell.

An address with TLS needs one of the --tls flags; with mutual TLS, --tls-cert and
--tls-key.`,
		Example: `  corsproc health 127.0.0.1:9002
  corsproc health unix:///run/corsproc/corsproc.sock
  corsproc health --tls-ca ca.pem corsproc.example.com:9002`,
		Args: takes(1, "one ADDR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			creds, err := secure.credentials()
			if err != nil {
				return err
			}
			answer, err := askHealth(cmd.Context(), args[0], creds)
			if err != nil {
				return failed(fmt.Errorf("%s does not answer: %s%s", args[0], status.Convert(err).Message(), secure.hint(err)))
			}
			if answer != healthv1.HealthCheckResponse_SERVING {
				return failed(fmt.Errorf("%s is not serving: %s", args[0], answer))
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), answer)
			return failed(err)
		},
	}
	secure.addFlags(cmd)
	return cmd
}

func askHealth(ctx context.Context, addr string, creds credentials.TransportCredentials) (healthv1.HealthCheckResponse_ServingStatus, error) {
	// A proxy from the environment must not stand between a probe and what it probes.
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	return answer.GetStatus(), err
}
